"""What the relay makes on a broker before it publishes, one step after the other, without waiting."""

from __future__ import annotations

from collections.abc import Callable

from pika import spec
from pika.channel import Channel
from pika.frame import Method

from zdriver.events.rabbitmq import Names

#: Seconds after which RabbitMQ has put a new queue on its disk: it does so every two. Killed before, it
#: forgets the queue, and with it what it confirmed.
ON_DISK = 2.5

_Done = Callable[[object], None]
_Step = Callable[[_Done], object]


def declare(
    channel: Channel,
    names: Names,
    *,
    audit: bool,
    later: Callable[[float, Callable[[], None]], object],
    done: Callable[[], None],
) -> None:
    """The exchange, and the audit's queues. What is declared differently closes the channel instead.

    later  runs something after some seconds
    """
    steps: list[_Step] = [
        lambda then: channel.exchange_declare(names.exchange, "topic", durable=True, callback=then)
    ]
    if audit:  # they are there before anything is published, so nothing passes them by
        steps += _queues(channel, names, later)
    _next(steps, done)


def _queues(
    channel: Channel, names: Names, later: Callable[[float, Callable[[], None]], object]
) -> list[_Step]:
    def keep(declared: Method[spec.Queue.DeclareOk], then: _Done) -> None:
        """An empty queue may be new: nothing is trusted to it before it is on the broker's disk."""
        later(0 if declared.method.message_count else ON_DISK, lambda: then(declared))

    return [
        lambda then: channel.queue_declare(
            names.dead, durable=True, arguments=names.dead_arguments(), callback=then
        ),
        lambda then: channel.queue_declare(
            names.audit,
            durable=True,
            arguments=names.audit_arguments(),
            callback=lambda declared: keep(declared, then),
        ),
        lambda then: channel.queue_bind(names.audit, names.exchange, "#", callback=then),
    ]


def _next(steps: list[_Step], done: Callable[[], None]) -> None:
    if steps:
        steps[0](lambda _frame: _next(steps[1:], done))
    else:
        done()
