"""What takes events out of zdriver: the port of every sink. RabbitMQ is one; plugins may add others.

Every committed event has a row in `deliveries` for each sink. The relay reads them, gives them to
the sink, and deletes a row only when the sink said that it is there for good. So a sink gets each
event at least once, and those of one aggregate in the order in which they happened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way."""

    sequence: int  #: place in the log of its store
    id: str  #: UUID; consumers know by it what they have seen
    type: str  #: "intent.set"
    aggregate: str  #: "context:<id>"
    aggregate_seq: int  #: from 1 on, without a gap, within the aggregate
    at: int  #: µs since the epoch
    envelope: bytes  #: as it was frozen at the commit; `zdriver.events.envelope`
    attempts: int = 0  #: times that it was refused


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """An event that the sink did not take."""

    sequence: int
    error: str  #: one line
    never: bool = False  #: trying again is of no use


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch. What is neither accepted nor refused is given again."""

    accepted: tuple[int, ...] = ()  #: sequences that are there for good
    refused: tuple[Refused, ...] = ()
    broken: str = ""  #: why the rest was not sent; the relay opens the sink anew before it goes on


class SinkState(msgspec.Struct, frozen=True, kw_only=True):
    """How a sink is, by what it knows without asking."""

    version: str = ""  #: of the server
    latency_ms: float | None = None  #: of the newest event, from sending to the confirmation
    slow: str = ""  #: what holds it up, one line


#: Says why a connection was lost.
Lost = Callable[[str], None]


class EventSink(Protocol):
    """All but `abort` and `state` are called by one thread, the relay's."""

    def open(self, lost: Lost) -> None:
        """Connect, and make what must be there. Raises Unavailable: one line naming setting and cause.

        lost  may be called, by any thread, when the connection ends while nothing is sent
        """
        ...

    def send(self, events: Sequence[Outgoing]) -> Outcome:
        """Send, and wait until each is confirmed or refused.

        Of an aggregate, the next goes only after the one before it was accepted; what comes after
        a refused one is left alone. Raises nothing that is expected: a lost connection is `broken`.
        """
        ...

    def close(self) -> None:
        """Let go of the connection, open or not."""
        ...

    def abort(self) -> None:
        """Make `open` and `send` return soon. Called by another thread, at the daemon's end.

        What is on its way may still be confirmed, for a second or two: else it will come twice.
        """
        ...

    def state(self) -> SinkState:
        """Called by any thread; never waits."""
        ...


#: Scheme of events.url → the name under which deliveries are kept; other schemes are their own name.
_NAMES = {"amqp": "rabbitmq", "amqps": "rabbitmq"}


def sink_name(scheme: str) -> str:
    """What `deliveries.sink` is for an `events.url` of this scheme."""
    return _NAMES.get(scheme, scheme)
