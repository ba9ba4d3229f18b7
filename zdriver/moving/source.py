"""The SQLite store that moves: owned for as long as it takes, and only read.

It is read in one transaction. Nobody can change the store meanwhile: a daemon that is started waits, and
says who has it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, LiteralString, Self

import msgspec

from zdriver.context.forgetting import FORGOTTEN
from zdriver.core.errors import NotFound, StoreInUse, Unavailable
from zdriver.storage.sqlite.connection import close_quietly, open_reader, translated
from zdriver.storage.sqlite.files import StoreFiles
from zdriver.storage.sqlite.migrating import check_schema, latest
from zdriver.storage.sqlite.owner import Ownership

#: Seconds for a daemon that was told to stop.
PATIENCE = 15.0
#: Most of it is about this one file, not about what is in it; but for what was forgotten, which must not
#: come back from elsewhere.
META = "meta"
WHICH: dict[str, LiteralString] = {META: "key LIKE '" + FORGOTTEN + "%'"}
#: Which rows of the search are equal does not depend on the order of their words.
SEARCH = "search"


class Table(msgspec.Struct, frozen=True):
    """A table as both engines have it."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]  #: primary key

    @property
    def which(self) -> LiteralString:
        """Which of its rows move: a condition."""
        return WHICH.get(self.name, "TRUE")


class Source:
    """A context manager. Raises NotFound, StoreInUse, Unavailable and what a damaged file gives."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        files = StoreFiles(self.path)
        if not files.database.exists():
            raise NotFound(f"there is no store at {self.path}", hint="name it as storage.path")
        self._ownership = _owned(files.lock)
        try:
            with translated():
                self._connection = open_reader(files.database)
        except BaseException:
            self._ownership.release()
            raise
        try:
            with translated():
                self._connection.execute("BEGIN")
                if check_schema(self._connection) != latest():
                    raise Unavailable(
                        "the store was written by another version of zdriver",
                        hint="run `zdriver history` once: it brings the store up to date; then do it again",
                    )
                self.id = str(self._one("SELECT value FROM meta WHERE key = 'store_id'"))
                self.tables = self._tables()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        close_quietly(self._connection)
        self._ownership.release()

    def rows(self, table: Table) -> Iterator[tuple[Any, ...]]:
        """All of them, as the other engine has them."""
        with translated():
            for row in self._connection.execute(
                f"SELECT {_listed(table)} FROM {table.name} WHERE {table.which}"
            ):
                yield plain(table, row)

    def page(self, table: Table, after: list[Any], limit: int) -> list[tuple[Any, ...]]:
        """Those that come after a key ([]: the first), in its order."""
        key = ", ".join(_named(table, column) for column in table.key)
        marks = ", ".join("?" * len(after))
        behind = f"({key}) > ({marks})" if after else "TRUE"
        query = (
            f"SELECT {_listed(table)} FROM {table.name} WHERE {table.which} AND {behind}"
            f" ORDER BY {key} LIMIT {limit}"
        )
        with translated():
            return [plain(table, row) for row in self._connection.execute(query, after)]

    def highest(self, table: Table) -> int:
        """The highest number that was given out for a key that is one, also to a row that is gone."""
        with translated():
            given = self._one("SELECT seq FROM sqlite_sequence WHERE name = ?", table.name)
            there = self._one(f"SELECT max({_named(table, table.key[0])}) FROM {table.name}")
        return max(int(given or 0), int(there or 0))

    def _one(self, query: str, *values: Any) -> Any:
        row = self._connection.execute(query, values).fetchone()
        return None if row is None else row[0]

    def _tables(self) -> tuple[Table, ...]:
        """In an order in which each comes after those that its rows name."""
        names = [
            str(row[0])
            for row in self._connection.execute(
                "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')"
                " AND name NOT LIKE 'sqlite%' ORDER BY name"
            )
        ]
        named = {name: self._named_by(name) - {name} for name in names}
        found: list[str] = []
        while len(found) < len(names):
            found += [name for name in names if name not in found and named[name] <= set(found)]
        return tuple(self._table(name) for name in found)

    def _named_by(self, name: str) -> set[str]:
        rows = self._connection.execute('SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)', (name,))
        return {str(row[0]) for row in rows}

    def _table(self, name: str) -> Table:
        if name == SEARCH:
            return Table(SEARCH, ("seq", "words"), ("seq",))
        rows = self._connection.execute("SELECT name, pk FROM pragma_table_info(?)", (name,)).fetchall()
        key = sorted((pk, column) for column, pk in rows if pk)
        return Table(name, tuple(str(row[0]) for row in rows), tuple(str(column) for _, column in key))


def plain(table: Table, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row of either engine in the form that is compared."""
    if table.name != SEARCH:
        return row
    seq, words = row
    return seq, " ".join(sorted(words.split() if isinstance(words, str) else words))


def _owned(lock: Path) -> Ownership:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return Ownership(lock)
        except StoreInUse:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)  # nothing tells when another process lets go of its lock


def _named(table: Table, column: str) -> str:
    return "rowid" if table.name == SEARCH and column == "seq" else f'"{column}"'


def _listed(table: Table) -> str:
    return ", ".join(_named(table, column) for column in table.columns)
