"""The archive's side: one connection to PostgreSQL, one store's rows, one batch a transaction.

How far a store has come stands in the archive itself and changes in the transaction that brings the
rows. So whoever was killed, wherever, goes on from what is really there, and no row comes twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, LiteralString

import msgspec
import psycopg
from psycopg import sql

from zdriver.archive.rows import Table, Values
from zdriver.core.clock import now_us, to_us
from zdriver.core.engines import Address
from zdriver.core.killpoint import reached
from zdriver.storage.postgres.connection import Connection, close_quietly, connect, translated
from zdriver.storage.postgres.leading import take_turn
from zdriver.storage.postgres.migrating import migrate

#: Columns whose type PostgreSQL does not make of text or bigint by itself.
_CASTS: dict[str, LiteralString] = {
    "artifacts": "%s::json",
    "envelope": "%s::json",
    "words": "%s::tsvector",
    "pinned": "%s::int::boolean",
}


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `archive_stores`."""

    cursor: int  #: all up to this event is there, once the first pass is over
    event: str  #: its id
    stage: str  #: of the first pass: "begin", "entries", "claims", "events"; "": it is over
    reached: str  #: last key of that stage which is there
    until: int  #: newest event when the first pass began
    until_event: str
    archived_at: datetime | None


_STATE: LiteralString = "cursor, event, stage, reached, until, until_event, archived_at"


class Target:
    """One store's place in the archive. Every method raises ZdriverErrors that name `archive.url`."""

    def __init__(self, address: Address, store: str) -> None:
        """Connect, and bring the archive to this program's schema."""
        self.address = address
        self.store = store
        self._connection = connect(address, autocommit=True)
        try:
            with self._working():
                self.id = migrate(self._connection, "archive").id
                asked, before = time.perf_counter(), now_us()
                row = self._connection.execute("SELECT clock_timestamp() AS now").fetchone()
            assert row is not None
            self.latency_ms = (time.perf_counter() - asked) * 1000
            self.skew_ms = (to_us(row["now"]) - (before + now_us()) / 2) / 1000
            self.version = self._connection.info.parameter_status("server_version") or ""
            self.version = self.version.partition(" ")[0]  # without the packager's words
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        close_quietly(self._connection)

    # -- where it stands -------------------------------------------------------------------

    def lead(self) -> bool:
        """Be the only one that writes this store's history, until `close`; False: another one is."""
        with self._working():
            if not take_turn(self._connection, f"archive:{self.store}"):
                return False
            self._execute(
                "INSERT INTO archive_stores (store) VALUES (%s) ON CONFLICT (store) DO NOTHING", self.store
            )
        return True

    def state(self) -> State:
        with self._working():
            row = self._execute(
                f"SELECT {_STATE} FROM archive_stores WHERE store = %s", self.store
            ).fetchone()
        begin = State(
            cursor=0, event="", stage="begin", reached="", until=0, until_event="", archived_at=None
        )
        return begin if row is None else msgspec.convert(row, State)

    def age(self) -> float | None:
        """Seconds since everything was there for the last time, by the server's clock; None: never."""
        with self._working():
            row = self._execute(
                "SELECT extract(epoch FROM clock_timestamp() - archived_at)::float8 AS age"
                " FROM archive_stores WHERE store = %s",
                self.store,
            ).fetchone()
        return None if row is None else row["age"]

    def settle(self, **state: Any) -> None:
        """Change the state, and nothing else."""
        with self._working(), self._connection.transaction():
            self._advance(state)

    def finish(self) -> int:
        """Everything is there now; when that was (µs, by the server's clock)."""
        with self._working():
            row = self._execute(
                "UPDATE archive_stores SET archived_at = clock_timestamp() WHERE store = %s"
                " RETURNING archived_at",
                self.store,
            ).fetchone()
        assert row is not None
        return to_us(row["archived_at"])

    def meet(self, host: str, name: str) -> None:
        """What the machine is called that writes here."""
        with self._working():
            self._execute(
                "INSERT INTO archive_hosts (host, name, seen_at) VALUES (%s, %s, clock_timestamp())"
                " ON CONFLICT (host) DO UPDATE SET name = excluded.name, seen_at = excluded.seen_at",
                host,
                name,
            )

    # -- writing ---------------------------------------------------------------------------

    def add(self, table: Table, rows: Sequence[Values], **state: Any) -> None:
        """Rows that are not there yet, by COPY. Should some be there, all are merged instead."""
        with self._working():
            try:
                with self._connection.transaction():
                    self._copy(table, rows, self._advance(state))
                    reached("archive:copied")
            except psycopg.errors.UniqueViolation:
                with self._connection.transaction():
                    self._merge(table, rows, self._advance(state))
        reached("archive:committed")

    def merge(self, batches: Iterable[tuple[Table, Sequence[Values]]], **state: Any) -> None:
        """New rows, and newer ones in the place of those that are there; in one transaction."""
        with self._working(), self._connection.transaction():
            number = self._advance(state)
            for table, rows in batches:
                self._merge(table, rows, number)
            reached("archive:merged")
        reached("archive:committed")

    def _advance(self, state: dict[str, Any]) -> int:
        """The number of this transaction's batch: it grows, whatever clocks and stores do."""
        changes = sql.SQL("").join(sql.SQL(", {} = %s").format(sql.Identifier(name)) for name in state)
        statement = sql.SQL(
            "UPDATE archive_stores SET batch = batch + 1{} WHERE store = %s RETURNING batch"
        ).format(changes)
        row = self._connection.execute(statement, (*state.values(), self.store)).fetchone()
        assert row is not None
        return int(row["batch"])

    def _copy(self, table: Table, rows: Sequence[Values], batch: int) -> None:
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table.name), _names(table.all_columns)
        )
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row((self.store, *row, batch))

    def _merge(self, table: Table, rows: Sequence[Values], batch: int) -> None:
        if not rows:
            return
        with self._connection.cursor() as cursor:
            cursor.executemany(_upsert(table), [(self.store, *row, batch) for row in rows])

    # -- forgetting (`archive/forgetting.py`) ----------------------------------------------

    @contextmanager
    def changing(self) -> Iterator[Changing]:
        """One transaction of statements of one's own."""
        with self._working(), self._connection.transaction():
            yield Changing(self._connection, self.store)
        reached("archive:forgotten")

    def having(self, table: Table, column: LiteralString, keys: Sequence[Any]) -> set[Any]:
        """Which of these rows the archive has: asked, not remembered."""
        statement = sql.SQL("SELECT {0} AS key FROM {1} WHERE store = %s AND {0} = ANY(%s)").format(
            sql.Identifier(column), sql.Identifier(table.name)
        )
        with self._working():
            return {row["key"] for row in self._connection.execute(statement, (self.store, list(keys)))}

    def snapshots(self, generations: Sequence[int]) -> set[tuple[Any, ...]]:
        """What is there of these: (generation, taken_at, session, root, pinned, digest)."""
        with self._working():
            found = self._execute(
                "SELECT generation, taken_at, zellij_session, root, pinned, digest FROM archive_snapshots"
                " WHERE store = %s AND generation = ANY(%s)",
                self.store,
                list(generations),
            )
            return {tuple(row.values()) for row in found}

    def analyze(self, *, whole: bool) -> None:
        """So that searches are planned for what is there now; and the index of words is in order.

        whole  a history came as a whole, which the server's own counting may not know yet
        """
        with self._working():
            row = self._execute(
                "SELECT n_mod_since_analyze * 20 > n_live_tup AS much FROM pg_stat_user_tables"
                " WHERE relid = 'archive_entries'::regclass"
            ).fetchone()
            if whole or row is None or row["much"]:  # a few rows more change nothing that is known of them
                self._execute("ANALYZE archive_entries")
            self._execute("SELECT gin_clean_pending_list('archive_entries_words')")

    def _execute(self, statement: LiteralString, *values: Any) -> psycopg.Cursor[dict[str, Any]]:
        return self._connection.execute(statement, values)

    def _working(self) -> Any:
        return translated(self.address)


class Changing:
    """Statements in a transaction; `%(store)s` is this store."""

    def __init__(self, connection: Connection, store: str) -> None:
        self._connection = connection
        self._store = store

    def run(self, statement: LiteralString, **values: Any) -> int:
        return self._connection.execute(statement, {**values, "store": self._store}).rowcount

    def all(self, statement: LiteralString, **values: Any) -> list[dict[str, Any]]:
        return self._connection.execute(statement, {**values, "store": self._store}).fetchall()


def _upsert(table: Table) -> sql.Composed:
    """Only a newer row takes the place of one; who writes is alone, but a restored archive may be ahead."""
    own = sql.Identifier(table.name)
    changed = [name for name in table.all_columns if name not in ("store", *table.key)]
    marks = [sql.SQL(_CASTS.get(name, "%s")) for name in table.all_columns]
    return sql.SQL(
        "INSERT INTO {0} ({1}) VALUES ({2}) ON CONFLICT (store, {3}) DO UPDATE SET {4}"
        " WHERE {0}.batch <= excluded.batch"
    ).format(
        own,
        _names(table.all_columns),
        sql.SQL(", ").join(marks),
        _names(table.key),
        sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in changed),
    )


def _names(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
