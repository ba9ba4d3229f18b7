"""A damaged database is moved aside, never deleted, and what is readable goes into a new one.

Steps, each of which may be the last one before a power cut:
1. `….recovering` says that it goes on, and under which name the damaged files are kept;
2. database, log and shared memory move there together;
3. a new database is filled beside it, from the damaged one and, where rows are missing,
   from the newest backup;
4. it takes the database's name, and `….recovering` goes.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec

from zdriver.core.clock import Clock, to_datetime
from zdriver.core.errors import StoreDamaged, Unavailable
from zdriver.storage.sqlite import salvage
from zdriver.storage.sqlite.connection import open_writer, pragma, storage_full, translated
from zdriver.storage.sqlite.files import StoreFiles, sync_file, sync_folder
from zdriver.storage.sqlite.migrating import migrate

log = logging.getLogger(__name__)

NOTICE = "recovery"  #: key in `meta`
_ENDINGS = ("", "-wal", "-shm")


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a damaged store."""

    at: int  #: µs
    reason: str
    kept: str  #: path of what was kept aside
    rows: int = 0  #: recovered in all
    from_backup: int = 0  #: of them from the backup
    backup: str = ""  #: path of the backup used
    incomplete: tuple[str, ...] = ()  #: tables of which something may be lost

    def message(self) -> str:
        """For the user, in one line."""
        said = f"the store was damaged ({self.reason}); {self.rows} rows were recovered"
        if self.from_backup:
            said += f", {self.from_backup} of them from the backup {self.backup}"
        if self.incomplete:
            said += f"; something of {', '.join(self.incomplete)} may be lost"
        return f"{said}; the damaged file is kept as {self.kept}"


class _Mark(msgspec.Struct, frozen=True):
    stamp: str
    reason: str


def recover(files: StoreFiles, backups: Callable[[], list[Path]], clock: Clock, reason: str) -> Recovery:
    """Put a new database in place of the damaged one. `backups` gives copies, newest first.

    Raises StorageFull and Unavailable; the next opening then goes on where this one ended.
    """
    mark = _Mark(_free_stamp(files, clock), reason)
    with _disk():
        _write(files.recovering, msgspec.json.encode(mark))
    return resume(files, backups, clock)


def resume(files: StoreFiles, backups: Callable[[], list[Path]], clock: Clock) -> Recovery:
    """Finish what `files.recovering` says. Raises as `recover`."""
    mark = _read_mark(files, clock)
    aside = files.aside(mark.stamp)
    with _disk(), translated():
        if aside.exists() and files.database.exists():
            # All was done but the last step.
            files.recovering.unlink()
            return Recovery(at=clock(), reason=mark.reason, kept=str(aside))
        _move(files, aside)
        recovered = _fill(files, aside, backups(), clock, mark.reason)
        sync_file(files.fresh)
        files.fresh.replace(files.database)
        sync_folder(files.folder)
        files.recovering.unlink()
    log.error("%s", recovered.message())
    return recovered


def keep_log(files: StoreFiles, content: bytes, clock: Clock, reason: str) -> Recovery:
    """The log alone was damaged: SQLite goes on without it, a copy is kept. Raises Unavailable."""
    path = files.aside(_free_stamp(files, clock) + "-log")
    with _disk():
        _write(path, content)
    return Recovery(at=clock(), reason=reason, kept=str(path), incomplete=("the latest changes",))


def move_aside(files: StoreFiles, clock: Clock) -> None:
    """What is left of a database that was removed: out of the way of the next one. Raises Unavailable."""
    if files.wal.exists() or files.shm.exists():
        with _disk():
            _move(files, files.aside(_free_stamp(files, clock)))


def _move(files: StoreFiles, aside: Path) -> None:
    # The database last: as long as it stands, the others can follow it.
    for ending in reversed(_ENDINGS):
        path = files.database.with_name(files.database.name + ending)
        if path.exists():
            path.replace(aside.with_name(aside.name + ending))
    sync_folder(files.folder)


def note(connection: apsw.Connection, recovery: Recovery) -> None:
    """Keep the notice until the user was told. Raises apsw.Error."""
    connection.execute(
        "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)",
        (NOTICE, msgspec.json.encode(recovery).decode()),
    )


def _fill(files: StoreFiles, aside: Path, backups: list[Path], clock: Clock, reason: str) -> Recovery:
    _remove(files.fresh)
    files.fresh.touch(0o600)
    connection = open_writer(files.fresh)
    try:
        migrate(connection, clock, lambda _schema: None)
        pragma(connection, "wal_checkpoint(TRUNCATE)")
        pragma(connection, "foreign_keys = OFF")
        connection.execute("BEGIN IMMEDIATE")
        done = salvage.copy_readable(aside, connection)
        if done.rows == 0 or "contexts" in done.incomplete or "entries" in done.incomplete:
            _with_own_schema(files, aside, connection, done)
        backup, more = _from_backup(connection, backups, done)
        salvage.mend(connection, done.incomplete)
        salvage.rebuild_search(connection)
        recovery = Recovery(
            at=clock(),
            reason=reason,
            kept=str(aside),
            rows=done.rows + more,
            from_backup=more,
            backup=backup,
            incomplete=tuple(sorted(set(done.incomplete))),
        )
        note(connection, recovery)
        connection.execute("COMMIT")
        wrong = pragma(connection, "quick_check(1)")
        if wrong != "ok":
            raise StoreDamaged(
                f"the store is damaged and could not be recovered: {wrong}",
                hint=f"check the disk; the damaged file is kept as {aside}",
            )
    finally:
        connection.close()
    return recovery


def _with_own_schema(
    files: StoreFiles, aside: Path, connection: apsw.Connection, done: salvage.Salvaged
) -> None:
    """Try again with header and schema of our own: they are what all others hang on."""
    patched = files.fresh.with_name(files.fresh.name + ".schema")
    try:
        _remove(patched)
        try:
            salvage.transplant(aside, files.fresh, patched)
        except (OSError, ValueError, apsw.Error) as error:
            log.warning("the damaged file cannot be copied: %s", error)
            return
        more = salvage.copy_readable(patched, connection)
    finally:
        _remove(patched)
    done.rows += more.rows
    if len(more.incomplete) < len(done.incomplete):
        done.incomplete = more.incomplete


def _from_backup(connection: apsw.Connection, backups: list[Path], done: salvage.Salvaged) -> tuple[str, int]:
    """Fill incomplete tables from the newest backup that is whole; its path and the rows."""
    if not done.incomplete:
        return "", 0
    for path in backups:
        found = salvage.copy_readable(path, connection, only=done.incomplete)
        if found.rows or not found.incomplete:
            return str(path), found.rows
    return "", 0


@contextmanager
def _disk() -> Iterator[None]:
    """Errors of the file system leave the block as ours."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise storage_full() from error
        raise Unavailable(
            f"the damaged store cannot be recovered: {error}",
            hint="make room and give yourself the right to write in its folder, then try again",
        ) from error


def _read_mark(files: StoreFiles, clock: Clock) -> _Mark:
    try:
        return msgspec.json.decode(files.recovering.read_bytes(), type=_Mark)
    except (OSError, msgspec.DecodeError):
        # Written only in part: nothing was moved yet.
        return _Mark(_free_stamp(files, clock), "an earlier recovery was interrupted")


def _free_stamp(files: StoreFiles, clock: Clock) -> str:
    stamp = to_datetime(clock()).strftime("%Y%m%dT%H%M%SZ")
    number = 1
    while any(files.aside(stamp + ending).exists() for ending in (*_ENDINGS, "-log")):
        number += 1
        stamp = f"{stamp.partition('.')[0]}.{number}"
    return stamp


def _write(path: Path, content: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(content)
    sync_file(path)
    sync_folder(path.parent)


def _remove(path: Path) -> None:
    for ending in _ENDINGS:
        path.with_name(path.name + ending).unlink(missing_ok=True)
