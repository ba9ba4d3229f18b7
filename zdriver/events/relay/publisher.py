"""The sink `rabbitmq`: events to a durable topic exchange, persistent, each confirmed by the broker."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from zdriver.core.engines import Address
from zdriver.core.errors import Unavailable
from zdriver.events import rabbitmq
from zdriver.events.relay.session import Session
from zdriver.events.sinks import Lost, Outcome, Outgoing, SinkState

#: Unconfirmed events on one connection. One by one a broker confirms a twentieth of what it can.
WINDOW = 500
#: Seconds without an answer that are worth telling.
SLOW = 5.0


class RabbitMqSink:
    """`EventSink`."""

    def __init__(self, address: Address, exchange: str, *, audit: bool, window: int = WINDOW) -> None:
        """
        audit   a queue that keeps everything is made first, and an event counts as published only
                when a queue has it
        window  unconfirmed events at most
        """
        self._address = address
        self._names = rabbitmq.Names(exchange)
        self._audit = audit
        self._window = window
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._aborted = False
        self._tries = 0
        self._suspects: frozenset[int] = frozenset()
        self._version = ""
        self._latency: float | None = None

    def open(self, lost: Lost) -> None:
        self.close()
        hosts = rabbitmq.parameters(self._address, name="zdriver relay")
        chosen = hosts[self._tries % len(hosts)]
        self._tries += 1
        session = Session(self._address, chosen, self._names, audit=self._audit, lost=lost)
        with self._lock:
            if self._aborted:
                raise Unavailable(f"{self._address.setting}: ending")
            self._session = session
        session.open()
        self._version = session.version

    def send(self, events: Sequence[Outgoing]) -> Outcome:
        session = self._session
        if session is None:
            return Outcome(broken=f"{self._address.setting}: not connected")
        careful = not self._suspects.isdisjoint(event.sequence for event in events)
        outcome = session.send(events, 1 if careful else self._window)
        self._latency = session.latency
        known = {*outcome.accepted, *(each.sequence for each in outcome.refused)}
        if outcome.broken:
            self._suspects = self._suspects.union(session.suspects) - known
        else:
            self._suspects -= known
        return outcome

    def close(self) -> None:
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def abort(self) -> None:
        with self._lock:
            self._aborted = True
            session, self._session = self._session, None
        if session is not None:
            session.close(landing=True)

    def state(self) -> SinkState:
        session = self._session
        slow = ""
        if session is not None:
            slow = session.blocked
            if not slow and session.waits > SLOW:
                slow = f"the broker has confirmed nothing for {session.waits:.0f} s"
        latency = None if self._latency is None else round(self._latency * 1000, 3)
        return SinkState(version=self._version, latency_ms=latency, slow=slow)
