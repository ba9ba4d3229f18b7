"""Connections to the file, and the one place where SQLite's errors become ours."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from zdriver.core.errors import (
    Conflict,
    Internal,
    StorageFull,
    StoreDamaged,
    Unavailable,
    ZdriverError,
)

log = logging.getLogger(__name__)

#: The first version without the WAL-reset corruption bug (https://sqlite.org/wal.html).
OLDEST = (3, 51, 3)
BUSY_MS = 2000
#: Kept prepared per connection; more than there are statements.
CACHED_STATEMENTS = 512

_SYNCS = {apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FileDamaged(StoreDamaged):
    """The file itself is damaged or gone, so opening it anew, which recovers, may help.

    Apart from StoreDamaged because a unit may raise that about a single row.
    """


class SyncFailed(Unavailable):
    """The disk did not confirm a change: what it then holds is known only after opening anew."""


def check_version() -> None:
    """Raises Unavailable when the SQLite that apsw carries is too old to be trusted."""
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split(".")[:3])
    if version < OLDEST:
        raise Unavailable(
            f"SQLite {apsw.sqlite_lib_version()} is too old: it can damage a database in WAL mode",
            hint="install a newer apsw: pip install -U 'apsw>=3.51.3'",
        )


def open_writer(path: Path) -> apsw.Connection:
    """The connection that writes and checkpoints. Raises apsw.Error."""
    connection = apsw.Connection(str(path), statementcachesize=CACHED_STATEMENTS)
    try:
        _settle(connection)
        pragma(connection, "journal_mode = WAL")
        pragma(connection, "synchronous = FULL")
        pragma(connection, "foreign_keys = ON")
        # What is deleted is overwritten, so that `forget` leaves nothing to find.
        pragma(connection, "secure_delete = ON")
        pragma(connection, "trusted_schema = OFF")
        pragma(connection, "cell_size_check = ON")
        # The writer checkpoints between batches, never inside somebody's commit.
        pragma(connection, "wal_autocheckpoint = 0")
        # As large as it grows between checkpoints: overwriting is cheaper than appending.
        pragma(connection, "journal_size_limit = 16777216")
        pragma(connection, "cache_size = -8000")
    except BaseException:
        close_quietly(connection)
        raise
    return connection


def open_reader(path: Path) -> apsw.Connection:
    """A connection that cannot write. Raises apsw.Error."""
    connection = apsw.Connection(
        str(path), flags=apsw.SQLITE_OPEN_READONLY, statementcachesize=CACHED_STATEMENTS
    )
    _settle(connection)
    return connection


def _settle(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(BUSY_MS)
    # Where SQLite is built with STAT4, as apsw's is, a statement on several tables is prepared anew for
    # each value bound to it: measured, 60 µs instead of 5. Here no plan depends on a value.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)


def close_quietly(connection: apsw.Connection) -> None:
    """Close where something failed already: that error counts, not the one of closing."""
    try:
        connection.close(True)
    except apsw.Error:
        log.exception("closing a connection failed")


def pragma(connection: apsw.Connection, text: str) -> object:
    """Run a pragma to its end; the first column of its first row, or None."""
    row = connection.execute(f"PRAGMA {text}").fetchone()
    return None if row is None else row[0]


def translate(error: apsw.Error, connection: apsw.Connection | None = None) -> ZdriverError:
    """Our error for SQLite's."""
    match error:
        case apsw.FullError():
            return storage_full()
        case apsw.IOError() if connection is not None and connection.system_errno in _NO_ROOM:
            return storage_full()
        case apsw.CorruptError() | apsw.NotADBError():
            return FileDamaged(
                f"the database is damaged: {error}",
                hint="it is kept aside and what is readable is recovered; run zdriver doctor",
            )
        case apsw.IOError() if getattr(error, "extendedresult", 0) in _SYNCS:
            return SyncFailed(
                "the disk did not confirm the change; whether it was saved is not known",
                hint="check the disk, then do it again",
            )
        case apsw.ConstraintError():
            return Conflict(f"the store holds something else already: {error}")
        case apsw.BusyError() | apsw.LockedError():
            return Unavailable("the database is locked by another program", hint="close it and try again")
        case apsw.ReadOnlyError() | apsw.PermissionsError() | apsw.CantOpenError():
            return Unavailable(
                f"the database cannot be written: {error}",
                hint="give yourself the right to write in its folder",
            )
        case apsw.IOError():
            return Unavailable(f"the disk does not answer: {error}", hint="check the disk")
    return Internal(f"{type(error).__name__}: {error}")


def storage_full() -> StorageFull:
    return StorageFull(
        "the disk is full; nothing was saved, what was there is intact",
        hint="make room on the disk of the store, then do it again",
    )


@contextmanager
def translated(connection: apsw.Connection | None = None) -> Iterator[None]:
    """Errors of SQLite leave the block as ours."""
    try:
        yield
    except apsw.Error as error:
        raise translate(error, connection) from error
