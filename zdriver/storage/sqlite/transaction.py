"""What a unit sees: named statements on one connection, inside one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import apsw

from zdriver.core.clock import Clock
from zdriver.core.errors import Internal
from zdriver.core.ids import new_id
from zdriver.events.envelope import seal
from zdriver.storage.port import Event, Row

#: Statement → its columns. Asked of SQLite once, with the first row that there is: the schema stays.
Columns = dict[str, tuple[str, ...]]

#: Run at the end of the batch, all together: at every savepoint FTS5 writes out what it has,
#: each time as a segment of its own. No unit reads what it put into the search.
_DEFERRED = frozenset(("search.add", "search.remove"))


class SqliteReading:
    """`storage.port.Reading`."""

    def __init__(
        self, connection: apsw.Connection, catalog: Mapping[str, str], columns: Columns, *, clock: Clock
    ) -> None:
        """columns: filled by this one and by others of the same schema."""
        self._connection = connection
        self._catalog = catalog
        self._columns = columns
        self._clock = clock

    def now(self) -> int:
        return self._clock()

    def one(self, statement: str, /, **params: Any) -> Row | None:
        cursor = self._connection.execute(self._sql(statement), params)
        values = cursor.fetchone()
        if values is None:
            return None
        columns = self._columns.get(statement) or self._named(statement, cursor)
        cursor.close()
        return dict(zip(columns, values, strict=True))

    def all(self, statement: str, /, **params: Any) -> list[Row]:
        cursor = self._connection.execute(self._sql(statement), params)
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

    def _sql(self, statement: str) -> str:
        try:
            return self._catalog[statement]
        except KeyError:
            raise Internal(f"there is no statement {statement}") from None


class More(BaseException):
    """A second look: both have to be at one view. No unit shall catch it by the way."""


class SqliteGlance(SqliteReading):
    """For a unit that looks once, and then needs no transaction. Raises More at the second look."""

    _looked = False

    def one(self, statement: str, /, **params: Any) -> Row | None:
        self._only()
        return super().one(statement, **params)

    def all(self, statement: str, /, **params: Any) -> list[Row]:
        self._only()
        return super().all(statement, **params)

    def _only(self) -> None:
        if self._looked:
            raise More
        self._looked = True


class SqliteTransaction(SqliteReading):
    """`storage.port.Transaction`."""

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
        self._deferred: list[tuple[str, dict[str, Any]]] = []

    def mark(self) -> tuple[int, int, int]:
        """Where the batch stands, for `back_to`."""
        return self.emitted, len(self._deferred), len(self.notes)

    def back_to(self, mark: tuple[int, int, int]) -> None:
        """A unit is rolled back: nothing of it is left to do."""
        self.emitted = mark[0]
        del self._deferred[mark[1] :]
        del self.notes[mark[2] :]

    def finish(self) -> None:
        """What was put off, before COMMIT. Raises apsw.Error."""
        for sql, params in self._deferred:
            self._connection.execute(sql, params)
        self._deferred.clear()

    def run(self, statement: str, /, **params: Any) -> int:
        if statement in _DEFERRED:
            self._deferred.append((self._sql(statement), params))
            return 1
        self._connection.execute(self._sql(statement), params).fetchall()
        return self._connection.changes()

    def emit(self, event: Event) -> None:
        now, id_ = self._clock(), new_id()
        stored = self.one(
            "event.append",
            id=id_,
            type=event.type,
            aggregate=event.aggregate,
            subject=str(event.payload.get("id", "")),
            at=now,
            envelope=seal(id_, event.type, now, event.payload),
        )
        assert stored is not None
        for sink in self._sinks:
            self.run("event.deliver", sink=sink, sequence=stored["sequence"])
        self.emitted += 1

    def notify(self, channel: str, text: str) -> None:
        self.notes.append((channel, text))
