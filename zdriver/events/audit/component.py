"""The audit: a durable queue of all events, and who writes them into PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

from pika.adapters.blocking_connection import BlockingChannel

from zdriver.core.engines import Address, EngineHealth
from zdriver.events.audit.writer import Writer
from zdriver.events.consuming import Consumer
from zdriver.events.rabbitmq import Names


class Audit:
    """A component, and what `zdriver events audit` runs by itself."""

    def __init__(self, broker: Address, database: Address, exchange: str) -> None:
        self._names = Names(exchange)
        self.writer = Writer(database)
        self._consumer = Consumer(
            broker, self._names.audit, self._declare, self.writer.write, name="zdriver audit"
        )

    def start(self) -> None:
        self._consumer.start()

    def stop(self) -> None:
        self._consumer.stop()
        self.writer.close()

    def run(self, *, once: bool, tell: Callable[[str], None]) -> None:
        """In this thread: until `end`, or until the queue is empty.

        tell  hears what goes wrong, and is tried again

        Raises Unavailable when the broker cannot be reached; with `once` also for the database.
        """
        self._consumer.tell = tell
        try:
            if once:
                self._consumer.run(once=True)
            else:
                self._consumer.follow()
        finally:
            self.writer.close()

    def end(self) -> None:
        """Make `run` return soon. Also for a signal's handler: it waits for nothing."""
        self._consumer.end()

    def health(self) -> EngineHealth:
        return self._consumer.health("audit")

    def _declare(self, channel: BlockingChannel) -> None:
        """The same as the relay does: whoever comes first makes it."""
        names = self._names
        channel.exchange_declare(names.exchange, "topic", durable=True)
        channel.queue_declare(names.dead, durable=True, arguments=names.dead_arguments())
        channel.queue_declare(names.audit, durable=True, arguments=names.audit_arguments())
        channel.queue_bind(names.audit, names.exchange, "#")
