"""From a path to a connection that can be trusted: checked, migrated, or a clear error."""

from __future__ import annotations

import apsw

from zdriver.core.clock import Clock
from zdriver.core.errors import StoreDamaged
from zdriver.storage.sqlite.backups import Backups
from zdriver.storage.sqlite.connection import open_writer, pragma, translate
from zdriver.storage.sqlite.files import StoreFiles
from zdriver.storage.sqlite.migrating import check_schema, migrate, schema_of

#: Larger files are checked whole only when they were not closed properly.
CHECK_ALWAYS_BYTES = 32 << 20


def open_database(files: StoreFiles, backups: Backups, clock: Clock, *, thorough: bool) -> apsw.Connection:
    """The writing connection, migrated. `thorough`: read every page first.

    Raises StoreDamaged, StoreTooNew, StorageFull, Unavailable.
    """
    unclean = size_of(files, "wal") > 0
    thorough = thorough or unclean or size_of(files, "database") <= CHECK_ALWAYS_BYTES
    connection: apsw.Connection | None = None
    try:
        files.make_database()
        connection = open_writer(files.database)
        check_schema(connection)
        if thorough:
            wrong = check(connection)
            if wrong:
                raise StoreDamaged(f"the database is damaged: {wrong}")
        migrate(connection, clock, backups.before_migration)
    except apsw.Error as error:
        ours = translate(error, connection)
        if connection is not None:
            connection.close(True)
        raise ours from error
    except BaseException:
        if connection is not None:
            connection.close(True)
        raise
    return connection


def size_of(files: StoreFiles, which: str) -> int:
    try:
        return int(getattr(files, which).stat().st_size)
    except FileNotFoundError:
        return 0


def check(connection: apsw.Connection) -> str:
    """What is wrong with the file as SQLite sees it, in one line; "" when nothing is."""
    if schema_of(connection) == 0:
        return ""
    found = pragma(connection, "quick_check(1)")
    return "" if found == "ok" else str(found).splitlines()[-1]
