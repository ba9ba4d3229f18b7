"""One connection to RabbitMQ for publishing: a pika connection in a thread of its own, and no second life.

The thread runs pika's loop, so heartbeats are answered while nothing is sent. `send` hands it a
batch and waits. Whatever ends the connection ends the session; the publisher makes another.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

import pika
from pika import exceptions as amqp
from pika import spec
from pika.channel import Channel
from pika.frame import Method

from zdriver.core.engines import Address
from zdriver.core.errors import Unavailable
from zdriver.events import rabbitmq
from zdriver.events.relay.declaring import declare
from zdriver.events.relay.flight import Flight
from zdriver.events.relay.gathering import Gathering
from zdriver.events.sinks import Lost, Outcome, Outgoing

log = logging.getLogger(__name__)

#: Events published in one go: about a millisecond. Then whoever else is at work in this process gets
#: the interpreter, for so many seconds.
SLICE, BREATH = 25, 0.0002
#: Seconds without any confirmation after which the connection counts as lost; not while the broker
#: says that it is low on memory or disk.
PATIENCE = 30.0
#: Seconds that a broker has to make exchange and queues. It may go on with its heartbeats and never answer:
#: so does RabbitMQ 3.10 for a quorum queue that has no leader.
ANSWER = 30.0
#: Seconds that a broker has to close a connection in good order.
GOODBYE = 2.0
#: What the broker answers to one publisher's mistake: suspects are then sent one by one. 404, the
#: exchange was deleted, and 320, the broker ends, are not of that kind.
_MISTAKES = frozenset((402, 403, 406, 501, 502, 503, 505, 506, 540, 541))


class Session:
    def __init__(
        self,
        address: Address,
        parameters: pika.ConnectionParameters,
        names: rabbitmq.Names,
        *,
        audit: bool,
        lost: Lost,
    ) -> None:
        self._address, self._parameters, self._names = address, parameters, names
        self._audit, self._lost = audit, lost
        self._lock = threading.Lock()
        self._ready = threading.Event()  #: it can send, or it never will
        self._error: Unavailable | None = None
        self._ended = False
        self._closing = False
        self._flight: Flight | None = None
        self._landed = threading.Event()
        self._outcome = Outcome()
        self._tag = 0
        self._pumping = False
        self._waiting_since: float | None = None
        self._others = 0.0  #: seconds of processor time that other threads had
        self._channel: Channel | None = None
        self._connection: Gathering | None = None
        self._thread = threading.Thread(target=self._run, name="rabbitmq", daemon=True)
        self._unbound = ""  #: somebody deleted the audit's queue or its binding: a new session makes it
        #: sequences that were on their way when the broker complained about one of them
        self.suspects: list[int] = []
        self.blocked = ""
        self.version = ""
        self.latency: float | None = None  #: seconds, of the newest confirmation

    # ---- for the relay's thread ----------------------------------------------------------

    def open(self) -> None:
        """Raises Unavailable."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error

    def send(self, events: Sequence[Outgoing], window: int) -> Outcome:
        flight = Flight(events, window)
        if flight.done:
            return flight.outcome()
        with self._lock:
            if self._ended or self._closing or self._connection is None:
                return Outcome(broken=self._why())
            self._landed.clear()
            self._flight = flight
            self._connection.ioloop.add_callback_threadsafe(self._pump)
        self._landed.wait()
        return self._outcome

    def close(self, *, landing: bool = False) -> None:
        """Called by any thread; returns when the connection is gone.

        landing  what is on its way may be confirmed first; for `GOODBYE` seconds
        """
        with self._lock:
            self._closing = True
            if not self._ended and self._connection is not None:
                leave = self._land if landing else self._leave
                self._connection.ioloop.add_callback_threadsafe(leave)
        if self._thread.is_alive():
            self._thread.join()

    @property
    def waits(self) -> float:
        """Seconds since the last sign of the broker, where it owes one. Called by any thread."""
        since = self._waiting_since
        return 0.0 if since is None else time.monotonic() - since

    # ---- in pika's thread ----------------------------------------------------------------

    def _run(self) -> None:
        try:
            connection = Gathering(
                self._parameters,
                on_open_callback=self._on_open,
                on_open_error_callback=lambda _connection, error: self._end(error),
                on_close_callback=lambda _connection, error: self._end(error),
            )
            connection.add_on_connection_blocked_callback(self._on_blocked)
            connection.add_on_connection_unblocked_callback(self._on_unblocked)
            with self._lock:
                self._connection = connection
                closing = self._closing
            if closing:
                self._leave()
            connection.ioloop.start()
        except Exception as error:  # pika's own, or a defect of ours: the relay goes on with a new session
            log.debug("publishing", exc_info=True)
            self._note(error)
        finally:
            self._finish()

    def _finish(self) -> None:
        """The loop has ended: whoever waits hears why."""
        with self._lock:
            self._ended = True
            flight, self._flight = self._flight, None
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.ioloop.close()
        if flight is not None:
            self._outcome = flight.outcome(broken=self._why())
            self._landed.set()
        elif self._ready.is_set() and not self._closing:
            self._lost(self._why())
        if self._error is None:
            self._error = Unavailable(self._why())
        self._ready.set()

    def _why(self) -> str:
        return self._error.message if self._error else f"{self._address.setting}: the connection was closed"

    def _note(self, error: BaseException) -> None:
        if self._error is None:
            self._error = rabbitmq.explain(error, self._address)

    def _end(self, error: BaseException) -> None:
        """The connection is no more."""
        self._note(error)
        if isinstance(error, amqp.ConnectionClosedByBroker) and error.reply_code in _MISTAKES:
            self._suspect(error.reply_code, str(error.reply_text))
        if self._connection is not None:
            self._connection.ioloop.stop()

    def _land(self) -> None:
        flight, connection = self._flight, self._connection
        if flight is None or connection is None or not connection.is_open or self.blocked:
            self._leave()
            return
        flight.halt()
        connection.ioloop.call_later(GOODBYE, self._leave)
        self._land_when_done()

    def _leave(self) -> None:
        connection = self._connection
        if connection is None or connection.is_closed:
            return
        connection.ioloop.call_later(GOODBYE, lambda: rabbitmq.cut(connection))
        if not connection.is_closing:
            connection.close()

    # opening: one step after the other

    def _on_open(self, connection: pika.SelectConnection) -> None:
        properties = connection.server_properties or {}
        self.version = str(properties.get("version", ""))
        if (error := rabbitmq.too_old(self.version, self._address)) is not None:
            self._error = error
            self._leave()
            return
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_return_callback(self._on_return)
        channel.connection.ioloop.call_later(ANSWER, self._opened_or_not)
        declare(
            channel,
            self._names,
            audit=self._audit,
            later=channel.connection.ioloop.call_later,
            done=lambda: channel.confirm_delivery(self._on_confirm, callback=self._on_ready),
        )

    def _opened_or_not(self) -> None:
        if not self._ready.is_set() and self._connection is not None:
            self._note(TimeoutError(f"no answer to a declaration for {ANSWER:.0f} s"))
            rabbitmq.cut(self._connection)

    def _on_ready(self, _frame: object) -> None:
        assert self._connection is not None
        self._connection.ioloop.call_later(PATIENCE / 6, self._look)
        self._ready.set()

    # sending

    def _pump(self) -> None:
        """Publish what may be, a slice at a time."""
        flight, channel = self._flight, self._channel
        if self._pumping or flight is None or channel is None or not channel.is_open or self.blocked:
            self._land_when_done()
            return
        assert self._connection is not None
        with self._connection.gathered():
            for _ in range(SLICE):
                event = flight.next()
                if event is None:
                    break
                self._publish(channel, flight, event)
            else:
                self._soon()
        if self._waiting_since is None:
            self._waiting_since = time.monotonic()
        self._breathe()
        self._land_when_done()

    def _breathe(self) -> None:
        """A thread that waits for the interpreter gets it after 5 ms otherwise, and then again."""
        others = time.process_time() - time.thread_time()
        if others > self._others:
            time.sleep(BREATH)
        self._others = others

    def _publish(self, channel: Channel, flight: Flight, event: Outgoing) -> None:
        try:
            channel.basic_publish(
                self._names.exchange,
                event.type,
                event.envelope,
                _properties(event),
                mandatory=self._audit,
            )
        except (amqp.AMQPChannelError, amqp.AMQPConnectionError):
            raise
        except Exception as error:  # a key that AMQP cannot say, for one
            flight.refuse(f"it cannot be published: {type(error).__name__}: {error}"[:300])
            return
        self._tag += 1
        flight.sent(self._tag, time.monotonic())

    def _soon(self) -> None:
        if not self._pumping and self._connection is not None:
            self._pumping = True
            self._connection.ioloop.call_later(0, self._pump_again)

    def _pump_again(self) -> None:
        self._pumping = False
        self._pump()

    def _on_confirm(self, frame: Method[spec.Basic.Ack | spec.Basic.Nack]) -> None:
        flight, method = self._flight, frame.method
        if flight is None:
            return
        refusal = "the broker refused it (nack)" if isinstance(method, spec.Basic.Nack) else ""
        sent = flight.confirmed(method.delivery_tag, multiple=bool(method.multiple), refusal=refusal)
        if sent is not None:
            self._waiting_since = time.monotonic()
            self.latency = self._waiting_since - sent
        self._pump()

    def _on_return(
        self, _channel: Channel, method: spec.Basic.Return, properties: spec.BasicProperties, _body: bytes
    ) -> None:
        if self._flight is not None and properties.message_id is not None:
            why = f"no queue took it: {method.reply_code} {method.reply_text}"
            self._flight.returned(properties.message_id, why)
            self._unbound = f"{self._address.setting}: {why}; the audit's queue is made again"

    def _land_when_done(self) -> None:
        if self._flight is not None and self._flight.done:
            flight, self._flight, self._waiting_since = self._flight, None, None
            self._outcome = flight.outcome(broken=self._unbound)
            self._landed.set()
            if self._closing:
                self._leave()

    # what may go wrong

    def _on_channel_closed(self, channel: Channel, error: BaseException) -> None:
        self._note(error)
        said = rabbitmq.refused_by_broker(error)
        if said is not None and said[0] in _MISTAKES:
            self._suspect(*said)
        if not channel.connection.is_closing and not channel.connection.is_closed:
            channel.connection.close()

    def _suspect(self, code: int, text: str) -> None:
        """The broker does not say which event it complains about, unless there is only one."""
        if self._flight is None:
            return
        self.suspects = self._flight.under_way
        if len(self.suspects) == 1:
            self._flight.blame(f"the broker refuses it: {code} {text}"[:300], never=code == 406)

    def _on_blocked(self, _connection: object, frame: Method[spec.Connection.Blocked]) -> None:
        self.blocked = f"the broker takes nothing now: {frame.method.reason}"
        log.warning("%s: %s", self._address.setting, self.blocked)

    def _on_unblocked(self, _connection: object, _frame: object) -> None:
        self.blocked = ""
        if self._waiting_since is not None:
            self._waiting_since = time.monotonic()
        log.info("%s: the broker takes events again", self._address.setting)
        self._soon()

    def _look(self) -> None:
        """Confirmations that never come, which heartbeats do not notice."""
        connection = self._connection
        if connection is None or not connection.is_open:
            return
        if self.waits > PATIENCE and not self.blocked:
            self._note(TimeoutError(f"no confirmation for {PATIENCE:.0f} s"))
            rabbitmq.cut(connection)
            return
        connection.ioloop.call_later(PATIENCE / 6, self._look)


def _properties(event: Outgoing) -> spec.BasicProperties:
    return spec.BasicProperties(
        content_type="application/json",
        delivery_mode=2,  # persistent
        message_id=event.id,
        timestamp=event.at // 1_000_000,
        headers={"aggregate": event.aggregate, "aggregate_seq": event.aggregate_seq},
    )
