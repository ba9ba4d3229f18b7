"""Copies of the whole store: three of the last days, and one before each change of the schema."""

from __future__ import annotations

import logging
import os
import re
import threading
from pathlib import Path

import apsw

from zdriver.core.clock import Clock, to_datetime
from zdriver.core.errors import Unavailable, ZdriverError
from zdriver.storage.sqlite.connection import close_quietly, open_reader, translated
from zdriver.storage.sqlite.files import StoreFiles, make_private, sync_file, sync_folder

log = logging.getLogger(__name__)

KEPT = 3
EVERY_US = 24 * 3600 * 1_000_000
RETRY_US = 3600 * 1_000_000

_DAILY = re.compile(r"^daily-\d{8}T\d{6}Z\.db$")
_ANY = re.compile(r"^(daily|schema)-.*\.db$")
_UNFINISHED = re.compile(r"^(daily|schema)-.*\.unfinished(-journal)?$")


class Backups:
    """The folder `backups` beside the database. Copies are made on a connection of their own."""

    def __init__(self, files: StoreFiles, clock: Clock) -> None:
        """For the one process that owns the store: what a killed one left unfinished is removed."""
        self._files = files
        self._folder = files.backups
        self._clock = clock
        self._next: int | None = None
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._making = threading.Lock()
        self._remove_unfinished()

    def newest_first(self) -> list[Path]:
        return sorted(self._found(_ANY), key=lambda path: path.stat().st_mtime, reverse=True)

    def before_migration(self, schema: int) -> None:
        """Copy the store as it is. Raises our errors: without a copy nothing is migrated."""
        self.make(f"schema-{schema}-{self._stamp()}.db")

    def start_when_due(self) -> None:
        """At most once a day: make the daily copy in a thread of its own. Cheap otherwise."""
        now = self._clock()
        if self._next is None:
            newest = [int(path.stat().st_mtime * 1_000_000) for path in self._found(_DAILY)]
            self._next = max(newest, default=now - EVERY_US) + EVERY_US
        if now < self._next or (self._thread is not None and self._thread.is_alive()):
            return
        self._next = now + EVERY_US
        with self._starting:  # who waits for it must not see it before it runs
            self._thread = threading.Thread(target=self._daily, name="zdriver-backup", daemon=True)
            self._thread.start()

    def finish(self) -> None:
        """Wait for a copy under way."""
        with self._starting:
            thread = self._thread
        if thread is not None:
            thread.join()

    def make(self, name: str) -> Path:
        """A consistent copy named `name`. Raises StorageFull and Unavailable."""
        path = self._folder / name
        with self._making:  # two in one second would have one name
            self._make(path, path.with_suffix(".unfinished"))
        return path

    def _make(self, path: Path, unfinished: Path) -> None:
        try:
            make_private(self._folder)
            unfinished.unlink(missing_ok=True)
            # Made beforehand for its mode; VACUUM INTO takes an empty file.
            os.close(os.open(unfinished, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            with translated():
                connection = open_reader(self._files.database)
                try:
                    connection.execute("VACUUM INTO ?", (str(unfinished),)).fetchall()
                finally:
                    close_quietly(connection)
            sync_file(unfinished)
            unfinished.replace(path)
            sync_folder(self._folder)
        except OSError as error:
            raise Unavailable(
                f"cannot write the backup {path}: {error.strerror}",
                hint=f"make room in {self._folder}, and give yourself the right to write there",
            ) from error
        finally:
            unfinished.unlink(missing_ok=True)

    def replace_all(self) -> None:
        """One fresh copy in place of all others: what was deleted is in none. Raises our errors."""
        self.finish()
        old = self._found(_ANY)
        if not old:
            return
        fresh = self.make(f"daily-{self._stamp()}.db")
        for path in old:
            if path != fresh:
                path.unlink(missing_ok=True)
        sync_folder(self._folder)

    def _remove_unfinished(self) -> None:
        for path in self._found(_UNFINISHED):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                log.warning("%s is left over and cannot be removed: %s", path, error)

    def _daily(self) -> None:
        try:
            self.make(f"daily-{self._stamp()}.db")
            for path in sorted(self._found(_DAILY), key=lambda path: path.name)[:-KEPT]:
                path.unlink(missing_ok=True)
        except (ZdriverError, OSError, apsw.Error):
            log.exception("the daily backup failed; the next try is in an hour")
            self._next = self._clock() + RETRY_US

    def _stamp(self) -> str:
        return to_datetime(self._clock()).strftime("%Y%m%dT%H%M%SZ")

    def _found(self, names: re.Pattern[str]) -> list[Path]:
        try:
            return [path for path in self._folder.iterdir() if names.match(path.name)]
        except FileNotFoundError:
            return []
