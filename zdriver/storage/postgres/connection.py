"""Connections to PostgreSQL, and the one place where its errors become ours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from zdriver.core.engines import Address
from zdriver.core.errors import Unavailable, ZdriverError
from zdriver.storage.postgres import causes, types
from zdriver.storage.postgres.watch import Session, Watch

Connection = psycopg.Connection[dict[str, Any]]

#: `client_connection_check_interval` came with it, and all older ones are out of support.
OLDEST = 140000
#: What libpq is told, unless the URL says otherwise. A network that swallows packets is noticed after
#: 25 s also where nothing is sent; PostgreSQL is asked for the same of its end.
DEFAULTS = {
    "application_name": "zdriver",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "25000",
    "gssencmode": "disable",
}
#: A daemon whose machine vanished must not keep its locks: the server lets go of them by itself.
SETTINGS = {
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25000",
    "client_min_messages": "warning",
    # Who waited for a lock has to see what was done under it, whatever a role's default is.
    "default_transaction_isolation": "read committed",
    # Compiling a plan takes longer than any statement of ours.
    "jit": "off",
}
#: Also while a statement runs; a server on a system that cannot tell refuses the setting.
_NOTICE_THE_END = """
DO $$ BEGIN SET client_connection_check_interval = '5s'; EXCEPTION WHEN OTHERS THEN NULL; END $$;
"""


def connect(
    address: Address,
    *,
    autocommit: bool = False,
    timeout: float = 5.0,
    settings: Mapping[str, str] | None = None,
    oldest: int = OLDEST,
) -> Connection:
    """A new connection; rows are dicts, Python's int is bigint and its str text.

    timeout   seconds until it has to stand; libpq waits at least 2
    settings  of the session, beside those that every connection gets
    oldest    version of the server that is needed, as `server_version_num`

    A commit on it is on the server's disk, also where the server's default is not to wait for that.
    Raises Unavailable, one line naming the setting and the cause.
    """
    try:
        options: dict[str, Any] = conninfo_to_dict(address.url)
    except psycopg.Error as error:
        raise causes.malformed(error, address) from None
    options = {**DEFAULTS, "connect_timeout": str(max(2, math.ceil(timeout))), **options}
    try:
        connection: Connection = psycopg.Connection.connect(
            **options, client_encoding="utf8", autocommit=True, row_factory=dict_row
        )
    except (psycopg.Error, ValueError) as error:
        raise translate(error, address) from error
    try:
        _check(connection, address, oldest)
        with Watch().guarded(Session(connection), max(2, timeout)):
            _settle(connection, {**SETTINGS, **(settings or {})})
        types.register(connection)
        connection.autocommit = autocommit
    except psycopg.Error as error:
        connection.close()
        raise translate(error, address) from error
    except BaseException:
        connection.close()
        raise
    return connection


def translate(error: BaseException, address: Address) -> ZdriverError:
    """Our error for psycopg's: one line naming the setting and the cause, and what to do."""
    return causes.translate(error, address)


@contextmanager
def translated(address: Address) -> Iterator[None]:
    """Errors of psycopg leave the block as ours."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, address) from error


def lost(error: BaseException, connection: Connection) -> bool:
    """Whether the connection is gone with this error, or will be: a new one may do better."""
    if connection.broken or connection.closed:
        return True
    state = getattr(error, "sqlstate", None) or ""
    return state.startswith("08") or state in (*causes.GOING, causes.UNPREPARED)


def close_quietly(connection: Connection) -> None:
    """Where something failed already: that counts, not the error of closing."""
    with suppress(psycopg.Error):
        connection.close()


def _check(connection: Connection, address: Address, oldest: int) -> None:
    version = connection.info.server_version
    if version < oldest:
        raise Unavailable(
            f"{address.setting}: the server at {address.shown} is PostgreSQL {_version(version)},"
            f" zdriver needs {_version(oldest)}",
            hint="upgrade the server, or name another one",
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise Unavailable(
            f"{address.setting}: the database at {address.shown} is in {encoding}, zdriver needs UTF8",
            hint="make another one: createdb --encoding=UTF8 --template=template0 NAME",
        )


def _version(number: int) -> str:
    return f"{number // 10000}.{number % 10000}"


def _settle(connection: Connection, settings: Mapping[str, str]) -> None:
    """In one round trip. Text and numbers only: nothing of a user's gets in here."""
    sets = "".join(f"SET {name} = '{value}';" for name, value in settings.items())
    durable = (
        "SELECT set_config('synchronous_commit', 'on', false)"
        " WHERE current_setting('synchronous_commit') = 'off'"
    )
    connection.execute((sets + _NOTICE_THE_END + durable).encode())
