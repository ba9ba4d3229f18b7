"""What a unit sees: named statements on one connection, inside one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from psycopg import ClientCursor
from psycopg.rows import dict_row

from zdriver.core.errors import Internal
from zdriver.core.ids import new_id
from zdriver.events.envelope import seal
from zdriver.storage.port import Event, Row
from zdriver.storage.postgres.compiling import of_events
from zdriver.storage.postgres.compiling import statement as compiled
from zdriver.storage.postgres.keys import lock_key
from zdriver.storage.postgres.watch import Session

#: Places of a transaction in the event log.
PLACES = 4096
#: Their plan depends on the values: how often does a word occur?
PLANNED_ANEW = frozenset(("search.history",))
#: Nothing a unit reads depends on them, but for what is named: sent with COMMIT, in one round trip.
_DEFERRED = {"search.add": "", "search.remove": "", "claim.fence": "claim.take"}


class PostgresReading:
    """`storage.port.Reading`."""

    def __init__(self, session: Session, clock: Callable[[], int]) -> None:
        self._connection = session.connection
        self._cursor = session.connection.cursor()
        self._clock = clock

    def now(self) -> int:
        return self._clock()

    def one(self, statement: str, /, **params: Any) -> Row | None:
        self._cursor.execute(compiled(statement), params)
        return self._cursor.fetchone() if self._cursor.description else None

    def all(self, statement: str, /, **params: Any) -> list[Row]:
        cursor = self._cursor
        if statement in PLANNED_ANEW:  # with the values in its text
            cursor = ClientCursor(self._connection, row_factory=dict_row)
        cursor.execute(compiled(statement), params)
        return cursor.fetchall() if cursor.description else []


class More(BaseException):
    """A second look: both have to be at one view. No unit shall catch it by the way."""


class PostgresGlance(PostgresReading):
    """For a unit that looks once, and then needs no transaction. Raises More at the second look."""

    def __init__(self, session: Session, clock: Callable[[], int]) -> None:
        super().__init__(session, clock)
        self._looked = False

    def one(self, statement: str, /, **params: Any) -> Row | None:
        self._only(statement)
        return super().one(statement, **params)

    def all(self, statement: str, /, **params: Any) -> list[Row]:
        self._only(statement)
        return super().all(statement, **params)

    def _only(self, statement: str) -> None:
        if self._looked or not compiled(statement).startswith(b"SELECT"):
            raise More
        self._looked = True


class First(NamedTuple):
    """Of a transaction's events."""

    sequence: int
    id: str


class _Emitted(NamedTuple):
    id: str
    type: str
    aggregate: str
    subject: str
    at: int
    envelope: bytes


class PostgresTransaction(PostgresReading):
    """`storage.port.Transaction`. Events are written together, at the end or before any is read."""

    def __init__(
        self,
        session: Session,
        clock: Callable[[], int],
        *,
        sinks: tuple[str, ...],
        xid: int,
        locked: set[str],
    ) -> None:
        """locked: aggregates whose locks it has already."""
        super().__init__(session, clock)
        self.session = session
        self._sinks = sinks
        self._next = (xid + session.base) * PLACES
        self._left = PLACES
        self._events: list[_Emitted] = []
        self._deferred: list[tuple[str, dict[str, Any]]] = []
        self._notes: list[tuple[str, str]] = []
        #: whether this one is there tells whether all is
        self.first: First | None = None
        self.aggregates: set[str] = set()  #: that events were emitted for
        self._locked = set(locked)
        self.emitted = 0

    def one(self, statement: str, /, **params: Any) -> Row | None:
        self._settle(statement)
        return super().one(statement, **params)

    def all(self, statement: str, /, **params: Any) -> list[Row]:
        self._settle(statement)
        return super().all(statement, **params)

    def run(self, statement: str, /, **params: Any) -> int:
        if statement in _DEFERRED:
            self._deferred.append((statement, params))
            return 1
        self._settle(statement)
        self._cursor.execute(compiled(statement), params)
        return self._cursor.rowcount

    def run_many(self, statement: str, rows: Sequence[Mapping[str, Any]], /) -> None:
        self._settle(statement)
        self._cursor.executemany(compiled(statement), rows)

    def emit(self, event: Event) -> None:
        if not self._left:
            raise Internal(f"more than {PLACES} events in one unit")
        self._left -= 1
        now, id_ = self._clock(), new_id()
        subject = str(event.payload.get("id", ""))
        sealed = seal(id_, event.type, now, event.payload)
        if self.first is None:
            self.first = First(self._next, id_)
        self._events.append(_Emitted(id_, event.type, event.aggregate, subject, now, sealed))
        self.aggregates.add(event.aggregate)
        self.emitted += 1

    def notify(self, channel: str, text: str) -> None:
        self._notes.append((channel, text))

    def _settle(self, statement: str) -> None:
        """What was put off, where this statement would see it."""
        if self._events and statement in of_events():
            self._append()
        if any(_DEFERRED[name] == statement for name, _ in self._deferred):
            self._catch_up()

    def _catch_up(self) -> None:
        deferred, self._deferred = self._deferred, []
        for name, params in deferred:
            self._cursor.execute(compiled(name), params)

    def _append(self) -> None:
        events, self._events = self._events, []
        columns = [list(column) for column in zip(*events, strict=True)]
        names = ("ids", "types", "aggregates", "subjects", "ats", "envelopes")
        given = dict(zip(names, columns, strict=True))
        self._lock({event.aggregate for event in events})
        self._cursor.execute(
            compiled("event.append"), {**given, "first": self._next, "sinks": list(self._sinks)}
        )
        self._next += len(events)

    def _lock(self, aggregates: set[str]) -> None:
        """Until the end of the transaction; who comes second is run again, having it from the beginning."""
        if fresh := aggregates - self._locked:
            self._locked |= fresh
            calls = ", ".join(f"pg_advisory_xact_lock({lock_key(name)})" for name in sorted(fresh))
            self._cursor.execute(f"SELECT {calls}".encode(), prepare=False)

    def commit(self, keep: dict[str, Any] | None) -> None:
        """What was put off, then COMMIT, in one round trip. `keep`: the request and its result.

        Raises psycopg.Error; where the connection is lost by it, whether this was saved is not known.
        """
        if not (self._events or self._deferred or self._notes or keep):
            self._cursor.execute(b"COMMIT", prepare=False)
        else:
            with self._connection.pipeline():
                self._catch_up()
                if self._events:
                    self._append()
                if keep:
                    self._cursor.execute(compiled("request.keep"), keep)
                for channel, text in self._notes:
                    self._cursor.execute(b"SELECT pg_notify(%s, %s)", (f"zdriver_{channel}", text))
                self._cursor.execute(b"COMMIT", prepare=False)
        if self._cursor.statusmessage != "COMMIT":
            raise Internal("a unit went on after one of its statements had failed")
