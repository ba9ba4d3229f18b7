"""The database that a store moves to.

From the first row to the last comparison, `moving` in `meta` says so, and no daemon works on it. How
far each table is stands in a table beside it, and changes with the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, LiteralString, Self

import msgspec
from psycopg import sql

from zdriver.core.clock import now_us
from zdriver.core.engines import Address
from zdriver.core.errors import Conflict, Internal
from zdriver.core.killpoint import reached
from zdriver.moving.model import Sum
from zdriver.moving.source import META, SEARCH, WHICH, Table, plain
from zdriver.storage.postgres.connection import close_quietly, connect, translated
from zdriver.storage.postgres.leading import take_turn
from zdriver.storage.postgres.migrating import check_schema, migrate, schema_of
from zdriver.storage.postgres.opening import MOVING

#: Tables in which rows are nobody's yet: a daemon fills them by being there.
_BY_BEING_THERE = ("hosts", META)
#: Seconds for whoever is reading there to come to an end.
PATIENCE = 15
#: In `meta`, once it is over: what was moved, to recognise it.
MOVED = "moved"
_PROGRESS: LiteralString = """
CREATE TABLE IF NOT EXISTS zdriver_moving (
    name TEXT PRIMARY KEY,
    reached TEXT NOT NULL, -- JSON: key of the last row that is there
    done BIGINT NOT NULL
)
"""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Value of `moving` and of `moved`: what moves, as the source has it."""

    store: str
    tables: dict[str, Sum]
    at: int = 0  #: µs


class Target:
    """A context manager, for one at a time. Raises Unavailable, Conflict, each naming `storage.url`."""

    def __init__(self, address: Address) -> None:
        self.address = address

    def __enter__(self) -> Self:
        self._connection = connect(self.address, autocommit=True)
        try:
            with translated(self.address):  # it goes with the connection
                alone = take_turn(self._connection, "moving")
            if not alone:
                raise Conflict(
                    f"storage.url: another store is just being moved to {self.address.shown}",
                    hint="wait for that, or name an empty database: createdb zdriver",
                )
        except BaseException:
            close_quietly(self._connection)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close_quietly(self._connection)

    # -- what is there ---------------------------------------------------------------------

    def mark(self, key: str) -> Mark | None:
        """`MOVING` or `MOVED`; None where there is none, or no store yet."""
        with translated(self.address):
            if not schema_of(self._connection, "postgresql").number:
                return None
            row = self._one("SELECT value FROM meta WHERE key = %s", key)
        return None if row is None else msgspec.json.decode(row["value"], type=Mark)

    def check(self, tables: Sequence[Table]) -> None:
        """Raises Conflict where something is there already, StoreTooNew."""
        with translated(self.address):
            schema = schema_of(self._connection, "postgresql")
            check_schema(schema, "postgresql")
            if not schema.number:
                return
            for table in tables:
                if table.name not in _BY_BEING_THERE and self._any(table):
                    raise Conflict(
                        f"storage.url: the database {self.address.shown} holds another store",
                        hint="name an empty one: createdb zdriver",
                    )

    def sums(self, tables: Sequence[Table]) -> dict[str, Sum]:
        """Of what is there, read again from the server."""
        from zdriver.moving.digests import summed

        return {table.name: summed(self._rows(table)) for table in tables}

    def _rows(self, table: Table) -> Iterator[tuple[Any, ...]]:
        query = sql.SQL("SELECT {} FROM {} WHERE {}").format(
            _listed(table, reading=True), sql.Identifier(table.name), sql.SQL(table.which)
        )
        # A cursor on the server's side: a large table is not in memory as a whole.
        with (
            translated(self.address),
            self._connection.transaction(),
            self._connection.cursor("moving") as cursor,
        ):
            cursor.itersize = 5000
            cursor.execute(query)
            for row in cursor:
                yield plain(table, tuple(row.values()))

    def _any(self, table: Table) -> bool:
        query = sql.SQL("SELECT 1 AS yes FROM {} LIMIT 1").format(sql.Identifier(table.name))
        return self._connection.execute(query).fetchone() is not None

    # -- changing it -----------------------------------------------------------------------

    def begin(self, mark: Mark, tables: Sequence[Table], sure: Callable[[], object]) -> None:
        """Make the schema, and say what is going on. Nothing else is in the tables then.

        sure  asked once nobody can write there any more; what it raises leaves all as it was
        """
        names = sql.SQL(", ").join(sql.Identifier(table.name) for table in tables)
        with translated(self.address):
            migrate(self._connection, "postgresql")
            with self._connection.transaction():
                self._connection.execute(f"SET LOCAL lock_timeout = '{PATIENCE}s'".encode())
                self._connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(names))
                sure()
                self._connection.execute(_PROGRESS)
                self._connection.execute("DELETE FROM zdriver_moving")
                self._empty(tables)
                self._put(MOVING, mark)
                self._connection.execute("DELETE FROM meta WHERE key = %s", (MOVED,))
            self._check_columns(tables)

    def _empty(self, tables: Sequence[Table]) -> None:
        whole = sql.SQL(", ").join(sql.Identifier(table.name) for table in tables if table.name != META)
        self._connection.execute(sql.SQL("TRUNCATE {}").format(whole))  # at once: they name each other
        self._connection.execute(sql.SQL("DELETE FROM meta WHERE {}").format(sql.SQL(WHICH[META])))

    def _check_columns(self, tables: Sequence[Table]) -> None:
        for table in tables:
            found = self._connection.execute(
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_schema = current_schema() AND table_name = %s",
                (table.name,),
            )
            if {row["column_name"] for row in found} != set(table.columns):
                raise Internal(f"the table {table.name} is not the same in SQLite and PostgreSQL")

    def reached(self, table: Table) -> tuple[list[Any], bool]:
        """(key of the last row that is there, whether the table is over)"""
        with translated(self.address):
            row = self._one("SELECT reached, done FROM zdriver_moving WHERE name = %s", table.name)
        return ([], False) if row is None else (msgspec.json.decode(row["reached"]), bool(row["done"]))

    def add(self, table: Table, rows: Sequence[tuple[Any, ...]], *, done: bool) -> None:
        """A page of rows, and how far the table is with it, in one transaction."""
        with translated(self.address), self._connection.transaction():
            last: list[Any] = []
            if rows:
                self._copy(table, rows)
                last = [rows[-1][table.columns.index(column)] for column in table.key]
            self._connection.execute(
                "INSERT INTO zdriver_moving (name, reached, done) VALUES (%s, %s, %s)"
                " ON CONFLICT (name) DO UPDATE SET done = excluded.done,"
                " reached = CASE excluded.reached WHEN '[]' THEN zdriver_moving.reached"
                " ELSE excluded.reached END",
                (table.name, msgspec.json.encode(last).decode(), int(done)),
            )
            reached("moving:copied")
        reached("moving:committed")

    def _copy(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        # Words of letters and digits, with spaces between, are a tsvector as they stand.
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table.name), _listed(table, reading=False)
        )
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    def finish(self, mark: Mark, highest: dict[str, tuple[str, int]]) -> None:
        """It is a store like any other from now on, with the id that it had.

        highest  table → (column, the highest number given out) where numbers are given out
        """
        with translated(self.address):
            with self._connection.transaction():
                for table, (column, number) in highest.items():
                    if number:
                        self._connection.execute(
                            "SELECT setval(sequence, %s) FROM pg_get_serial_sequence(%s, %s) AS sequence"
                            " WHERE sequence IS NOT NULL",
                            (number, table, column),
                        )
                self._connection.execute("DELETE FROM meta WHERE key = ANY(%s)", ([MOVING, "store_id"],))
                self._connection.execute(
                    "INSERT INTO meta (key, value) VALUES ('store_id', %s)", (mark.store,)
                )
                self._put(MOVED, msgspec.structs.replace(mark, at=now_us()))
                self._connection.execute("DROP TABLE zdriver_moving")
                reached("moving:finished")
            self._connection.execute("ANALYZE")

    def _put(self, key: str, mark: Mark) -> None:
        self._connection.execute(
            "INSERT INTO meta (key, value) VALUES (%s, %s)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (key, msgspec.json.encode(mark).decode()),
        )

    def _one(self, statement: LiteralString, *values: Any) -> dict[str, Any] | None:
        return self._connection.execute(statement, values).fetchone()


def _listed(table: Table, *, reading: bool) -> sql.Composed:
    """The columns; words as a list where they are read."""
    columns: list[sql.Composable] = [
        sql.SQL("tsvector_to_array(words) AS words")
        if reading and table.name == SEARCH and column == "words"
        else sql.Identifier(column)
        for column in table.columns
    ]
    return sql.SQL(", ").join(columns)
