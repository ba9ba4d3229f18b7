"""Tasks that other programs assign: from RabbitMQ into the store.

A queue of the store's own is bound to `task.assigned`, so each store gets each task; daemons that
share a store share the queue. A message is acknowledged once its task is committed. What is no task
goes to the queue's dead letters; while the store is away, nothing is taken from the queue.

Imports pika, so it is imported only where `events.url` names a broker.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec
from pika.adapters.blocking_connection import BlockingChannel

from zdriver.core.engines import Address, EngineHealth
from zdriver.core.errors import InvalidInput
from zdriver.events.consuming import Consumer, Message
from zdriver.events.envelope import unseal
from zdriver.events.rabbitmq import quorum
from zdriver.tasks import rules
from zdriver.tasks.model import Assignment
from zdriver.tasks.service import TasksService

log = logging.getLogger(__name__)

#: Unacknowledged messages that the broker gives in advance.
PREFETCH = 50


class Listener:
    """A component."""

    def __init__(self, broker: Address, tasks: TasksService, *, exchange: str, store: str) -> None:
        """store: its id, which the queue is named by"""
        self._tasks = tasks
        self._exchange = exchange
        self.queue = f"{exchange}.tasks.{store}"
        self.dead = f"{self.queue}.dead"
        self._consumer = Consumer(
            broker, self.queue, self._declare, self.take_in, name="zdriver tasks", prefetch=PREFETCH
        )

    def start(self) -> None:
        self._consumer.start()

    def stop(self) -> None:
        self._consumer.stop()

    def take_in(self, messages: Sequence[Message]) -> Sequence[int]:
        """Durably, when this returns: the tags of those that are no task. Raises Unavailable, StorageFull."""
        hopeless = []
        for message in messages:
            try:
                given = _read(message.body)
                if given is not None:
                    self._tasks.add(given)
            except InvalidInput as error:  # also what this store cannot keep: it never will
                log.warning("%s: %s; %s", self.queue, error.message, error.hint)
                hopeless.append(message.tag)
        return hopeless

    def health(self) -> EngineHealth:
        return self._consumer.health("tasks")

    def _declare(self, channel: BlockingChannel) -> None:
        channel.exchange_declare(self._exchange, "topic", durable=True)
        channel.queue_declare(self.dead, durable=True, arguments=quorum())
        channel.queue_declare(self.queue, durable=True, arguments=quorum(self.dead))
        channel.queue_bind(self.queue, self._exchange, rules.ASSIGNED)


def _read(body: bytes) -> Assignment | None:
    """None for zdriver's own. Raises InvalidInput."""
    if len(body) > rules.SIZE_MAX:
        raise InvalidInput(f"a task of {len(body):,} bytes is too large", hint="send a link to what it needs")
    try:
        return rules.assignment(unseal(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(
            f"what came is no event: {error}", hint="send Bloodbank's envelope: docs/engines.md"
        ) from error
