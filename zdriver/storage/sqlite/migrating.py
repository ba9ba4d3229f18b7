"""Bringing a store to the schema of this program; only the writer does it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import apsw

from zdriver.core.clock import Clock
from zdriver.core.errors import StoreTooNew, Unavailable
from zdriver.core.ids import new_id
from zdriver.storage.catalog import Migration, migrations
from zdriver.storage.sqlite.connection import pragma

#: "zdrv": how `file` and we know our own databases.
APPLICATION_ID = 0x7A647276


def latest() -> int:
    return migrations("sqlite")[-1].number


def schema_of(connection: apsw.Connection) -> int:
    """The schema's number, 0 for an empty file. Raises Unavailable when it is no store of ours."""
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if tables == 0:
        return 0
    try:
        number = _meta(connection, "schema")
    except apsw.SQLError:
        number = None
    if number is None or not re.fullmatch(r"\d{1,9}", number):
        raise Unavailable(
            "the file is a database of another program",
            hint="name another file as storage.path in the configuration",
        )
    return int(number)


def check_schema(connection: apsw.Connection) -> int:
    """As `schema_of`. Raises StoreTooNew when this program must not touch the store."""
    schema = schema_of(connection)
    if schema > latest():
        oldest = int(_meta(connection, "min_compatible") or schema)
        if oldest > latest():
            raise StoreTooNew(
                f"the store was written by a newer zdriver: its schema is {schema} and needs a program"
                f" that knows {oldest}, this one knows {latest()}",
                hint="upgrade zdriver; nothing was changed",
            )
    return schema


def migrate(
    connection: apsw.Connection,
    clock: Clock,
    before: Callable[[int], None],
    steps: tuple[Migration, ...] | None = None,
) -> None:
    """Apply what is missing, each step in one transaction.

    `before(schema)` is called once before an existing store is changed: it makes the backup.
    """
    steps = migrations("sqlite") if steps is None else steps
    schema = schema_of(connection)
    missing = [step for step in steps if step.number > schema]
    if schema and missing:
        before(schema)
    for step in missing:
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(step.sql).fetchall()
            if step.number == 1:
                pragma(connection, f"application_id = {APPLICATION_ID}")
                _set_meta(connection, store_id=new_id(), created_at=clock())
            _set_meta(connection, schema=step.number, min_compatible=step.min_compatible)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _meta(connection: apsw.Connection, key: str) -> str | None:
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row[0])


def _set_meta(connection: apsw.Connection, **values: Any) -> None:
    for key, value in values.items():
        connection.execute(
            "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
            (key, str(value)),
        )
