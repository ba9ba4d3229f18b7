"""What `zdriver doctor` asks of a PostgreSQL: nothing in it is changed."""

from __future__ import annotations

import re
import time

import psycopg
from msgspec import Struct

from zdriver.core.clock import now_us
from zdriver.core.engines import Address
from zdriver.core.errors import Unavailable
from zdriver.storage.catalog import migrations
from zdriver.storage.postgres.connection import Connection, connect, translate
from zdriver.storage.postgres.migrating import check_schema, schema_of

#: Questions of which the fastest answer counts.
ASKED = 3

_RIGHTS = """
SELECT current_user AS me, current_schema() AS schema, pg_is_in_recovery() AS standby,
    has_schema_privilege(current_schema(), 'CREATE') AS may_create
"""
_REFUSED = """
SELECT min(tablename) AS name FROM pg_catalog.pg_tables
WHERE schemaname = current_schema() AND tablename = ANY(%s) AND NOT (
    has_table_privilege(format('%%I.%%I', schemaname, tablename), 'SELECT')
    AND has_table_privilege(format('%%I.%%I', schemaname, tablename), 'INSERT')
    AND has_table_privilege(format('%%I.%%I', schemaname, tablename), 'UPDATE')
    AND has_table_privilege(format('%%I.%%I', schemaname, tablename), 'DELETE'))
"""
_TABLE = re.compile(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+)", re.MULTILINE | re.IGNORECASE)


class Looked(Struct, frozen=True, kw_only=True):
    version: str  #: of the server: "15.14"
    latency_ms: float  #: the fastest of a few answers
    skew_ms: float  #: its clock less ours
    missing: int = 0  #: migrations that are still to be applied


def look(address: Address, part: str, *, timeout: float = 5.0) -> Looked:
    """Connect, and see whether the store ("postgresql") or the "archive" can be had there.

    timeout  seconds

    Raises Unavailable: one line naming the setting and the cause.
    """
    connection = connect(address, autocommit=True, timeout=timeout)
    try:
        connection.execute(f"SET statement_timeout = '{timeout:.0f}s'".encode())
        latency, skew = _clock(connection)
        return Looked(
            version=_version(connection.info.server_version),
            latency_ms=round(latency, 3),
            skew_ms=round(skew, 3),
            missing=_check(connection, address, part),
        )
    except psycopg.Error as error:
        raise translate(error, address) from error
    finally:
        connection.close()


def _check(connection: Connection, address: Address, part: str) -> int:
    rights = connection.execute(_RIGHTS).fetchone()
    assert rights is not None
    if rights["standby"]:
        raise Unavailable(
            f"{address.setting}: the server is a standby, in which nothing can be written",
            hint="name its primary, or several hosts with ?target_session_attrs=read-write",
        )
    schema = schema_of(connection, part)
    check_schema(schema, part)
    missing = max(0, len(migrations(part)) - schema.number)
    if missing and not rights["may_create"]:
        raise Unavailable(
            f"{address.setting}: {rights['me']} may not create tables in {_place(rights['schema'])}",
            hint=f"as its owner: GRANT CREATE ON SCHEMA {rights['schema'] or 'public'} TO {rights['me']}",
        )
    tables = ["zdriver_schema", *(name for step in migrations(part) for name in _TABLE.findall(step.sql))]
    refused = connection.execute(_REFUSED, (tables,)).fetchone()
    if refused is not None and refused["name"] is not None:
        raise Unavailable(
            f"{address.setting}: {rights['me']} may not read and write the table {refused['name']}",
            hint=f"as its owner: GRANT ALL ON {refused['name']} TO {rights['me']}",
        )
    return missing


def _place(schema: str | None) -> str:
    return f"the schema {schema}" if schema else "this database: it has no schema of the search path"


def _clock(connection: Connection) -> tuple[float, float]:
    """(ms that an answer takes, ms that the server's clock is ahead of ours)"""
    best: tuple[float, float] | None = None
    for _ in range(ASKED):
        begun, here = time.perf_counter(), now_us()
        row = connection.execute(
            "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now"
        ).fetchone()
        took = time.perf_counter() - begun
        assert row is not None
        skew = (row["now"] - here - took * 1e6 / 2) / 1000
        if best is None or took * 1000 < best[0]:
            best = (took * 1000, skew)
    assert best is not None
    return best


def _version(number: int) -> str:
    return f"{number // 10000}.{number % 10000}"
