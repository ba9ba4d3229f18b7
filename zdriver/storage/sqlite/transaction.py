"""What a unit sees: named statements on one connection, inside one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import apsw

from zdriver.core.clock import Clock
from zdriver.core.ids import new_id
from zdriver.events.envelope import seal
from zdriver.storage.catalog import mentioning
from zdriver.storage.port import Event, Row

#: Statement → its columns. Asked of SQLite once, with the first row that there is: the schema stays.
Columns = dict[str, tuple[str, ...]]

#: Run at the end of the batch, all together, for no unit reads what they write: at every savepoint FTS5
#: writes out what it has, each time as a segment of its own; and the token of a claim that is there counts.
_DEFERRED = frozenset(("search.add", "search.remove", "claim.fence"))


class Mark(NamedTuple):
    """Where a batch stands."""

    events: int
    unwritten: int
    deferred: int
    notes: int


class SqliteReading:
    """`storage.port.Reading`."""

    def __init__(
        self, connection: apsw.Connection, catalog: Mapping[str, str], columns: Columns, *, clock: Clock
    ) -> None:
        """columns: filled by this one and by others of the same schema."""
        self._connection = connection
        self._catalog = catalog
        self._columns = columns
        self.now = clock

    def one(self, statement: str, /, **params: Any) -> Row | None:
        cursor = self._connection.execute(self._catalog[statement], params)
        values = cursor.fetchone()
        if values is None:
            return None
        columns = self._columns.get(statement) or self._named(statement, cursor)
        cursor.close()
        return dict(zip(columns, values, strict=True))

    def all(self, statement: str, /, **params: Any) -> list[Row]:
        cursor = self._connection.execute(self._catalog[statement], params)
        first = cursor.fetchone()
        if first is None:
            return []
        columns = self._columns.get(statement) or self._named(statement, cursor)
        return [dict(zip(columns, values, strict=True)) for values in (first, *cursor)]

    def _named(self, statement: str, cursor: apsw.Cursor) -> tuple[str, ...]:
        """While the row is current: SQLite forgets the names with the last row."""
        columns = tuple(column[0] for column in cursor.get_description())
        self._columns[statement] = columns
        return columns


class More(BaseException):
    """A second look: both have to be at one view. No unit shall catch it by the way."""


class SqliteGlance(SqliteReading):
    """For a unit that looks once, and then needs no transaction. Raises More at the second look."""

    _looked = False

    def one(self, statement: str, /, **params: Any) -> Row | None:
        if self._looked:
            raise More
        self._looked = True
        return super().one(statement, **params)

    def all(self, statement: str, /, **params: Any) -> list[Row]:
        if self._looked:
            raise More
        self._looked = True
        return super().all(statement, **params)


class SqliteTransaction(SqliteReading):
    """`storage.port.Transaction`, of all units of a batch one after the other.

    Events, requests and search words are written together: at its end, or before any is read. Python's
    lock is let go, and must be waited for, at each statement.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        catalog: Mapping[str, str],
        columns: Columns,
        *,
        clock: Clock,
        sinks: tuple[str, ...],
    ) -> None:
        super().__init__(connection, catalog, columns, clock=clock)
        self._sinks = sinks
        self.emitted = 0  #: events of the current batch
        self.notes: list[tuple[str, str]] = []  #: channel and text, of the current batch
        self.requests: set[str] = set()  #: of the current batch, that are kept
        self._events: list[dict[str, Any]] = []
        self._kept: list[dict[str, Any]] = []
        self._deferred: list[tuple[str, dict[str, Any]]] = []

    def mark(self) -> Mark:
        """For `back_to`."""
        return Mark(self.emitted, len(self._events), len(self._deferred), len(self.notes))

    def back_to(self, mark: Mark) -> None:
        """A unit is rolled back: nothing of it is left to do."""
        self.emitted = mark.events
        del self._events[mark.unwritten :]
        del self._deferred[mark.deferred :]
        del self.notes[mark.notes :]

    def finish(self) -> None:
        """What was put off, before COMMIT. Raises apsw.Error."""
        self.catch_up()
        for sql, together in groupby(self._deferred, itemgetter(0)):
            self._connection.executemany(sql, [params for _, params in together])
        self._deferred.clear()

    def catch_up(self) -> None:
        """Write the events and requests of all units so far. Raises apsw.Error."""
        if self._events:
            self._append()
        if self._kept:
            kept, self._kept = self._kept, []
            self._connection.executemany(self._catalog["request.keep"], kept)

    def one(self, statement: str, /, **params: Any) -> Row | None:
        self._settle(statement)
        return super().one(statement, **params)

    def all(self, statement: str, /, **params: Any) -> list[Row]:
        self._settle(statement)
        return super().all(statement, **params)

    def run(self, statement: str, /, **params: Any) -> int:
        if statement in _DEFERRED:
            self._deferred.append((self._catalog[statement], params))
            return 1
        self._settle(statement)
        self._connection.execute(self._catalog[statement], params).fetchall()
        return self._connection.changes()

    def run_many(self, statement: str, rows: Sequence[Mapping[str, Any]], /) -> None:
        self._settle(statement)
        self._connection.executemany(self._catalog[statement], rows)

    def emit(self, event: Event) -> None:
        now, id_ = self.now(), new_id()
        self._events.append(
            {
                "id": id_,
                "type": event.type,
                "aggregate": event.aggregate,
                "subject": str(event.payload.get("id", "")),
                "at": now,
                "envelope": seal(id_, event.type, now, event.payload),
            }
        )
        self.emitted += 1

    def notify(self, channel: str, text: str) -> None:
        self.notes.append((channel, text))

    def keep(self, request: str, digest: str, result: str) -> None:
        """The answer that `request` gets when it comes again."""
        self._kept.append({"key": request, "digest": digest, "result": result, "at": self.now()})
        self.requests.add(request)

    def _settle(self, statement: str) -> None:
        """What was put off, where this statement would see it."""
        if (self._events or self._kept) and statement in _seeing():
            self.catch_up()

    def _append(self) -> None:
        events, self._events = self._events, []
        newest = super().one("event.newest") if self._sinks else None
        self._connection.executemany(self._catalog["event.append"], events)
        for sink in self._sinks:
            after = (newest and newest["sequence"]) or 0
            self._connection.execute(self._catalog["event.deliver_after"], {"sink": sink, "after": after})


@cache
def _seeing() -> frozenset[str]:
    """Names of the statements that read or change what is put off."""
    return mentioning("sqlite", "events", "deliveries", "requests")
