"""Bringing a database to the schema of this program; many daemons may try at once.

What belongs together has a number of its own, so that the store and the archive may share one
database: the table `zdriver_schema` has a row for each folder of migrations.
"""

from __future__ import annotations

from typing import NamedTuple

import psycopg

from zdriver.core.clock import now_us
from zdriver.core.errors import StoreTooNew, Unavailable
from zdriver.core.ids import new_id
from zdriver.storage.catalog import Migration, migrations
from zdriver.storage.postgres.connection import Connection
from zdriver.storage.postgres.keys import lock_key

#: Seconds that one waits for another that migrates.
PATIENCE = 60
_TABLE = """
CREATE TABLE IF NOT EXISTS zdriver_schema (
    part TEXT COLLATE "C" PRIMARY KEY,
    number BIGINT NOT NULL,
    min_compatible BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    at BIGINT NOT NULL
)
"""


class Schema(NamedTuple):
    """What `part` of a database is at; number 0 and no id where there is nothing yet."""

    number: int
    min_compatible: int
    id: str  #: of this very store or archive, for ever


def schema_of(connection: Connection, part: str) -> Schema:
    """Raises psycopg.Error."""
    known = connection.execute("SELECT to_regclass('zdriver_schema') IS NOT NULL AS known").fetchone()
    if known is None or not known["known"]:
        return Schema(0, 0, "")
    row = connection.execute(
        "SELECT number, min_compatible, id FROM zdriver_schema WHERE part = %s", (part,)
    ).fetchone()
    return Schema(0, 0, "") if row is None else Schema(row["number"], row["min_compatible"], row["id"])


def check_schema(schema: Schema, part: str, steps: tuple[Migration, ...] | None = None) -> None:
    """Raises StoreTooNew when this program must not touch it."""
    latest = len(migrations(part) if steps is None else steps)
    if schema.number > latest and schema.min_compatible > latest:
        what = "store" if part == "postgresql" else part
        raise StoreTooNew(
            f"the {what} was written by a newer zdriver: its schema is {schema.number} and needs a program"
            f" that knows {schema.min_compatible}, this one knows {latest}",
            hint="upgrade zdriver; nothing was changed",
        )


def migrate(connection: Connection, part: str, steps: tuple[Migration, ...] | None = None) -> Schema:
    """Apply what is missing of `migrations/PART/`, all or nothing; who comes second finds it done.

    Raises StoreTooNew, Unavailable where another program has tables of the same names, psycopg.Error.
    """
    steps = migrations(part) if steps is None else steps
    schema = schema_of(connection, part)
    check_schema(schema, part, steps)
    if schema.number >= len(steps):
        return schema
    with connection.transaction():
        connection.execute(
            f"SET LOCAL lock_timeout = '{PATIENCE}s';"
            f"SELECT pg_advisory_xact_lock({lock_key(f'migrate:{part}')});{_TABLE}".encode()
        )
        schema = schema_of(connection, part)
        check_schema(schema, part, steps)
        for step in steps[schema.number :]:
            try:
                connection.execute(step.sql.encode())
            except psycopg.errors.DuplicateTable as error:
                raise Unavailable(
                    f"the database has tables of another program: {error.diag.message_primary}",
                    hint="give zdriver a database of its own: createdb zdriver",
                ) from error
            schema = Schema(step.number, step.min_compatible, schema.id or new_id())
            connection.execute(
                "INSERT INTO zdriver_schema (part, number, min_compatible, id, at)"
                " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (part) DO UPDATE"
                " SET number = excluded.number, min_compatible = excluded.min_compatible, at = excluded.at",
                (part, *schema, now_us()),
            )
    return schema
