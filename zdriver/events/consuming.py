"""Reading a queue of RabbitMQ: each message is acknowledged when it was dealt with for good.

What deals with them may fail for now (its database is down): then the messages are held, and tried
again; they are never given back to the queue, where they would come again at once, in another
order. A message that can never be dealt with goes to the queue's dead-letter queue.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pika
from pika import exceptions as amqp
from pika import spec
from pika.adapters.blocking_connection import BlockingChannel

from zdriver.core.engines import Address, EngineHealth, Role
from zdriver.core.errors import Unavailable, ZdriverError
from zdriver.events import rabbitmq, trying
from zdriver.events.trying import Condition

log = logging.getLogger(__name__)

#: Unacknowledged messages that the broker gives in advance.
PREFETCH = 500
#: Messages that are dealt with at once.
BATCH = 200
#: Seconds between heartbeats: while a database hangs, nobody answers them.
HEARTBEAT = 60
#: Seconds between two looks at how long the queue is.
LOOK = 10.0
#: Seconds that the broker has to give us the queue.
ANSWER = 15.0
#: Seconds that a broker has to close a connection in good order.
GOODBYE = 2.0
#: Seconds that the end waits for one that is just connecting.
CONNECTING = 1.0
#: Seconds in which a queue that is not empty has to give something to who waits for its end.
PATIENCE = 15.0


class Message(msgspec.Struct, frozen=True, kw_only=True):
    tag: int
    key: str  #: routing key: the event's type
    body: bytes
    headers: dict[str, Any]


#: Deals with messages, durably: the tags of those that can never be dealt with. Raises ZdriverError
#: when it cannot for now; then it gets the same ones again.
Handle = Callable[[Sequence[Message]], Sequence[int]]


class Consumer:
    """A component: one queue, read by a thread of its own."""

    def __init__(
        self,
        address: Address,
        queue: str,
        declare: Callable[[BlockingChannel], None],
        handle: Handle,
        *,
        name: str,
        prefetch: int = PREFETCH,
    ) -> None:
        """
        declare  makes the queue and what it is bound to; called after every connect
        name     of the thread, and of the connection where the broker lists them
        """
        self._address, self._queue, self._declare, self._handle = address, queue, declare, handle
        self._name, self._prefetch = name, prefetch
        self._stopping = threading.Event()
        self._inbox: deque[Message] = deque()
        self._connection: pika.BlockingConnection | None = None
        self._tries = 0
        self._looked = 0.0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        #: hears in a line what goes wrong, once
        self.tell: Callable[[str], None] = log.warning
        self.version = ""
        self.ready: int | None = None  #: messages in the queue, as of a moment ago
        self.state = Condition("down", datetime.now(UTC), f"{address.setting}: not connected yet")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What was dealt with is acknowledged; the rest stays in the queue."""
        self.end()
        if self._thread.is_alive():
            # One that still connects has nothing to finish, and a network that swallows packets is slow.
            self._thread.join(CONNECTING)
            if self._connection is not None:
                self._thread.join()

    def end(self) -> None:
        """Make `run` return soon."""
        self._stopping.set()
        connection = self._connection
        if connection is not None:
            with contextlib.suppress(amqp.AMQPError):  # it is gone: then nothing has to be woken
                connection.add_callback_threadsafe(lambda: None)  # wakes it

    def health(self, role: Role) -> EngineHealth:
        """How the broker is, as this queue's reader knows it."""
        state = self.state
        return EngineHealth(
            engine="rabbitmq",
            role=role,
            setting=self._address.setting,
            address=self._address.shown,
            state=state.state,
            message=state.message,
            hint=state.hint,
            version=self.version,
            lag=self.ready,
            since=state.since,
        )

    def run(self, *, once: bool) -> None:
        """In the thread that calls: until `stop`, or until the queue is empty.

        Raises Unavailable when the broker cannot be reached; with `once` also when the messages
        cannot be dealt with now, or another consumer has the queue.
        """
        with self._connected() as (connection, channel):
            waited = time.monotonic()
            while not self._stopping.is_set():
                connection.process_data_events(time_limit=0.2 if once else LOOK / 2)
                if self._inbox:
                    self._deal(connection, channel, once=once)
                    waited = time.monotonic()
                elif once:
                    if self._is_drained(connection, channel):
                        return
                    if time.monotonic() - waited > PATIENCE:
                        raise Unavailable(
                            f"another consumer has the queue {self._queue}",
                            hint="one at a time reads it; a daemon with events.audit = true does, too",
                        )
                elif time.monotonic() - self._looked > LOOK:
                    self._length(channel)

    def follow(self) -> None:
        """As `run` without end, in the thread that calls: what is lost later is waited for, and told.

        Raises Unavailable when the broker cannot be reached at the beginning.
        """
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self.run(once=False)
            except ZdriverError as error:
                if not self.version:
                    raise
                self._down(error)
            failures = 1 if time.monotonic() - began > trying.MOST else failures + 1
            self._stopping.wait(_wait(failures))

    # ---- inside --------------------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self.follow()
            except ZdriverError as error:
                self._down(error)
            except Exception as error:  # a defect of ours is no reason to give up
                log.exception("%s", self._name)
                self._down(Unavailable(f"{self._address.setting}: {type(error).__name__}: {error}"))
            failures += 1
            self._stopping.wait(_wait(failures))

    @contextlib.contextmanager
    def _connected(self) -> Iterator[tuple[pika.BlockingConnection, BlockingChannel]]:
        """A connection and a channel that the messages come on. pika's errors leave it as ours."""
        hosts = rabbitmq.parameters(self._address, name=self._name, heartbeat=HEARTBEAT)
        parameters = hosts[self._tries % len(hosts)]
        self._tries += 1
        connection: pika.BlockingConnection | None = None
        self._inbox.clear()
        try:
            connection = pika.BlockingConnection(parameters)
            self._connection = connection
            self._greet(connection)
            with _answered(connection):
                channel = connection.channel()
                self._declare(channel)
                channel.basic_qos(prefetch_count=self._prefetch)
                channel.basic_consume(self._queue, self._on_message)
                self._up(channel)
            yield connection, channel
        except (amqp.AMQPError, OSError, rabbitmq.WorkflowError) as error:
            raise rabbitmq.explain(error, self._address) from error
        finally:
            self._connection = None
            if connection is not None:
                _close(connection)

    def _on_message(
        self,
        _channel: BlockingChannel,
        method: spec.Basic.Deliver,
        properties: spec.BasicProperties,
        body: bytes,
    ) -> None:
        self._inbox.append(
            Message(
                tag=method.delivery_tag,
                key=method.routing_key,
                body=body,
                headers=dict(properties.headers or {}),
            )
        )

    def _deal(self, connection: pika.BlockingConnection, channel: BlockingChannel, *, once: bool) -> None:
        """With everything that came. While it cannot be, the connection is kept alive."""
        failures = 0
        while self._inbox and not self._stopping.is_set():
            batch = [self._inbox[place] for place in range(min(len(self._inbox), BATCH))]
            try:
                hopeless = self._handle(batch)
            except ZdriverError as error:
                if once:
                    raise
                self._down(error)
                failures += 1
                deadline = time.monotonic() + _wait(failures)
                while (left := deadline - time.monotonic()) > 0 and not self._stopping.is_set():
                    connection.process_data_events(time_limit=left)
                continue
            failures = 0
            self._answer(channel, batch, frozenset(hopeless))
            for _ in batch:
                self._inbox.popleft()
            self._well()

    def _answer(self, channel: BlockingChannel, batch: Sequence[Message], hopeless: frozenset[int]) -> None:
        if not hopeless:
            channel.basic_ack(batch[-1].tag, multiple=True)
            return
        for message in batch:
            if message.tag in hopeless:
                log.warning("a message of %s is no event: to the dead letters", self._queue)
                channel.basic_reject(message.tag, requeue=False)
            else:
                channel.basic_ack(message.tag)

    def _is_drained(self, connection: pika.BlockingConnection, channel: BlockingChannel) -> bool:
        """Whether the queue has nothing left, and nothing is on its way to us.

        Messages that left the queue for us before the first answer are here with the second one.
        """
        if self._length(channel) or self._length(channel):
            return False
        connection.process_data_events(time_limit=0)
        return not self._inbox

    def _length(self, channel: BlockingChannel) -> int:
        self._looked = time.monotonic()
        found = channel.queue_declare(self._queue, passive=True)
        self.ready = int(found.method.message_count)
        return self.ready

    def _greet(self, connection: pika.BlockingConnection) -> None:
        """Who is there. Raises Unavailable where it is too old for what is declared."""
        properties = connection._impl.server_properties or {}
        self.version = str(properties.get("version", ""))
        if (error := rabbitmq.too_old(self.version, self._address)) is not None:
            raise error

    def _up(self, channel: BlockingChannel) -> None:
        self._length(channel)
        self._well()

    def _well(self) -> None:
        if self.state.state != "ok":
            log.info("%s: at work", self._name)
            self.state = Condition("ok", datetime.now(UTC))

    def _down(self, error: ZdriverError) -> None:
        if self._stopping.is_set():
            return
        if self.state.is_news(error):
            self.tell(f"{error.message}; {error.hint or 'it is tried again'}")
        self.state = self.state.down(error, datetime.now(UTC))


def _wait(failures: int) -> float:
    return trying.backoff(failures, random.random(), first=trying.FIRST, most=trying.MOST)


@contextlib.contextmanager
def _answered(connection: pika.BlockingConnection) -> Iterator[None]:
    """The connection is cut where the block takes longer than `ANSWER`.

    A broker may never answer, and go on with its heartbeats: so does RabbitMQ 3.10 for a quorum queue
    that has no leader, as one that was declared shortly before the broker was killed.
    """
    within = connection._impl  # the timers of the outer one do not run while it waits for an answer
    timer = within._adapter_call_later(ANSWER, lambda: rabbitmq.cut(within))
    try:
        yield
    finally:
        within._adapter_remove_timeout(timer)


def _close(connection: pika.BlockingConnection) -> None:
    """Whatever state it is in: nothing is under way that could be lost."""
    within = connection._impl  # the timers of the outer one do not run while it closes
    with contextlib.suppress(Exception):  # pika's own of every kind, of a connection that is broken
        within._adapter_call_later(GOODBYE, lambda: rabbitmq.cut(within))
        connection.close()
