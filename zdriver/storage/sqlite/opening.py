"""From a path to a connection that can be trusted: checked, recovered, migrated, or a clear error."""

from __future__ import annotations

from pathlib import Path

import apsw

from zdriver.core import paths
from zdriver.core.clock import Clock
from zdriver.storage.sqlite import recovery, wal
from zdriver.storage.sqlite.backups import Backups
from zdriver.storage.sqlite.connection import FileDamaged, close_quietly, open_writer, pragma, translate
from zdriver.storage.sqlite.files import StoreFiles
from zdriver.storage.sqlite.migrating import check_schema, migrate, schema_of

#: Larger files are checked whole only when they were not closed properly (10 ms per MiB).
CHECK_ALWAYS_BYTES = 8 << 20
#: Still larger ones not even then, so that a daemon is back in time: damage is noticed when met.
CHECK_UNCLEAN_BYTES = 64 << 20
#: A log is never larger than some batches; more is not looked through.
LOG_MAX_BYTES = 128 << 20


def open_database(files: StoreFiles, backups: Backups, clock: Clock, *, thorough: bool) -> apsw.Connection:
    """The writing connection, migrated. `thorough`: read every page first.

    A damaged file is recovered; the notice about it is in `meta`.
    Raises StoreTooNew, StorageFull, Unavailable, and StoreDamaged when recovery failed too.
    """
    files.check_rights()
    if files.recovering.exists():
        recovery.resume(files, backups.newest_first, clock)
    log = _log(files)
    try:
        _look(files, backups, clock)
        limit = CHECK_UNCLEAN_BYTES if log else CHECK_ALWAYS_BYTES
        thorough = thorough or _size(files.database) <= limit
        return _open(files, backups, clock, thorough=thorough, log=log)
    except FileDamaged as error:
        recovery.recover(files, backups.newest_first, clock, error.message)
    return _open(files, backups, clock, thorough=True, log=b"")


def _log(files: StoreFiles) -> bytes:
    """The write-ahead log as an unclean end left it; empty after a clean one."""
    try:
        if _size(files.wal) > LOG_MAX_BYTES:
            return b""
        return files.wal.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise paths.unwritable(files.wal, error) from error


def _look(files: StoreFiles, backups: Backups, clock: Clock) -> None:
    """What SQLite would take for a new database. Raises FileDamaged."""
    if not files.database.exists():
        # Removed by somebody, who meant it; its log would be taken for that of the new one.
        recovery.move_aside(files, clock)
    elif _size(files.database) == 0 and (
        _size(files.wal) or files.reserve.exists() or backups.newest_first()
    ):
        raise FileDamaged("the database file is empty")


def _open(
    files: StoreFiles, backups: Backups, clock: Clock, *, thorough: bool, log: bytes
) -> apsw.Connection:
    connection: apsw.Connection | None = None
    try:
        files.make_database()
        connection = open_writer(files.database)
        check_schema(connection)
        if thorough:
            _check(connection)
        migrate(connection, clock, backups.before_migration)
        if log:
            _check_log(connection, files, clock, log)
    except apsw.Error as error:
        ours = translate(error, connection)
        if connection is not None:
            close_quietly(connection)
        raise ours from error
    except OSError as error:
        raise paths.unwritable(files.database, error) from error
    except BaseException:
        if connection is not None:
            close_quietly(connection)
        raise
    return connection


def _check(connection: apsw.Connection) -> None:
    """Raises FileDamaged when SQLite finds anything wrong in any page."""
    if schema_of(connection) == 0:
        return
    found = str(pragma(connection, "quick_check(1)"))
    if found != "ok":
        raise FileDamaged(f"the database is damaged: {found.splitlines()[-1]}")


def _check_log(connection: apsw.Connection, files: StoreFiles, clock: Clock, log: bytes) -> None:
    """What SQLite silently left out of the log is kept, and told."""
    taken = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)[0]
    if wal.header_is_damaged(log) or wal.lost_commits(log, max(taken, 0)):
        recovery.note(
            connection, recovery.keep_log(files, log, clock, "the log of the latest changes cannot be read")
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
