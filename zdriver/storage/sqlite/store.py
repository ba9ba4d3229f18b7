"""`storage.port.Store` on one SQLite file, owned by this process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import apsw
import msgspec

from zdriver.core import paths
from zdriver.core.clock import Clock, now_us
from zdriver.core.errors import Unavailable, ZdriverError
from zdriver.storage.catalog import statements
from zdriver.storage.port import SCRUB_OWED, Reading, Transaction
from zdriver.storage.sqlite.backups import Backups
from zdriver.storage.sqlite.connection import FileDamaged, check_version
from zdriver.storage.sqlite.database import Database
from zdriver.storage.sqlite.files import StoreFiles, refuse_network
from zdriver.storage.sqlite.job import Job
from zdriver.storage.sqlite.notes import Notes
from zdriver.storage.sqlite.opening import open_database
from zdriver.storage.sqlite.owner import Ownership
from zdriver.storage.sqlite.recovery import NOTICE, Recovery
from zdriver.storage.sqlite.reserve import SIZE, Reserve
from zdriver.storage.sqlite.writer import Writer

T = TypeVar("T")
log = logging.getLogger(__name__)

MAINTENANCE_SECONDS = 60.0


class SqliteStore:
    """The embedded store. Every method may be called from any thread.

    Do not fork after it is open: the child would share its lock and its connections.
    """

    shared = False

    def __init__(
        self,
        path: Path | None = None,
        *,
        clock: Clock = now_us,
        sinks: Sequence[str] = (),
        reserve: int = SIZE,
    ) -> None:
        """Open or make the store at `path` (default: `paths.database()`).

        sinks    names that every event gets a delivery for
        reserve  bytes kept back on the disk, so that room can be freed when it is full

        Raises StoreInUse, StoreTooNew, StoreDamaged (when nothing could be recovered),
        StorageFull, Unavailable.
        """
        check_version()
        self.files = StoreFiles(paths.database() if path is None else Path(path))
        self.files.make_folder()
        refuse_network(self.files.folder)
        self._clock = clock
        self._wakes: list[Callable[[], None]] = []
        self._wakes_lock = threading.Lock()
        self._notes = Notes()
        self._ownership = Ownership(self.files.lock)
        try:
            self._backups = Backups(self.files, clock)
            self._database = Database(self.files, statements("sqlite"), self._open, clock)
            room = Reserve(self.files.reserve, reserve)
            room.keep()
            self._writer = Writer(
                self._database,
                room,
                clock=clock,
                sinks=tuple(sinks),
                wake=self._wake,
                tell=self._notes.tell,
                after=self._backups.start_when_due,
            )
        except BaseException:
            self._ownership.release()
            raise
        self._scrub_if_owed()

    def _open(self, thorough: bool) -> apsw.Connection:
        self.files.make_folder()  # whoever removed the whole folder wants to begin anew
        self._ownership.keep()
        return open_database(self.files, self._backups, self._clock, thorough=thorough)

    def read(self, unit: Callable[[Reading], T]) -> T:
        """`Store.read`. Should the file prove to be damaged, it is recovered and read once more."""
        seen = self._database.opened
        try:
            return self._database.read(unit)
        except FileDamaged as error:
            damage = error
        self._alone(lambda: self._database.renew(damage, seen=seen))
        return self._database.read(unit)

    def write(
        self,
        unit: Callable[[Transaction], T],
        *,
        lock: Sequence[str] = (),
        request: str = "",
        digest: str = "",
        result: type[T] | None = None,
        timeout: float = 5.0,
        urgent: bool = False,
    ) -> T:
        """`Store.write`. There is one writer, so `lock` has nothing to do here."""
        job = Job(unit, request=request, digest=digest, result=result, urgent=urgent)
        self._writer.submit(job)
        outcome: T = job.wait(timeout)
        return outcome

    def at_once(
        self, _statement: str, /, *, result: type[T], request: str = "", digest: str = "", **_params: Any
    ) -> T | None:
        """`Store.at_once`: a unit costs no more here, since nothing lies between its statements."""
        return None

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """`Store.subscribe`. `wake` runs on the writer's thread: it only sets something."""
        with self._wakes_lock:
            self._wakes = [*self._wakes, wake]

        def end() -> None:
            with self._wakes_lock:
                self._wakes = [each for each in self._wakes if each is not wake]

        return end

    def listen(self, channel: str, heard: Callable[[str], None]) -> Callable[[], None]:
        """`Store.listen`. `heard` runs on the writer's thread."""
        return self._notes.listen(channel, heard)

    def recovery(self) -> Recovery | None:
        """What became of a damaged file, until `recovery_seen`; None when all is well."""
        row = self.read(lambda tx: tx.one("meta.get", key=NOTICE))
        return None if row is None else msgspec.json.decode(row["value"], type=Recovery)

    def recovery_seen(self) -> None:
        """The user was told."""
        self.write(lambda tx: tx.run("meta.drop", key=NOTICE))

    def scrub(self) -> None:
        """`Store.scrub`. Takes about a second per 100,000 entries, in which nothing is written."""
        self._scrub()
        aside = self.files.kept_aside()
        if aside:
            raise Unavailable(
                f"it is forgotten, but {aside[0]}, kept of a damaged store, may still hold it",
                hint=f"remove it when you need it no more: rm {self.files.database}.damaged-*",
            )

    def _scrub(self) -> None:
        owed = self.read(lambda tx: tx.one("meta.get", key=SCRUB_OWED))
        self._backups.finish()  # a copy under way reads what is to be overwritten
        self._alone(self._database.scrub)
        self._backups.replace_all()
        if owed is not None:  # one that came meanwhile has another value, and stays
            self.write(lambda tx: tx.run("meta.drop_value", key=SCRUB_OWED, **owed), urgent=True)

    def _scrub_if_owed(self) -> None:
        try:
            if self.read(lambda tx: tx.one("meta.get", key=SCRUB_OWED)) is not None:
                log.warning("a process ended while it forgot something; what is left of it is removed now")
                self._scrub()
        except ZdriverError as error:  # no reason not to open; the next opening tries again
            log.warning("what was forgotten may still be in the store's files: %s", error.message)

    def close(self) -> None:
        """Finish what was accepted, then let go of the file and its lock."""
        self._writer.close()
        self._backups.finish()
        if self._database.close():
            self._ownership.release()

    def __enter__(self) -> SqliteStore:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _alone(self, function: Callable[[], None]) -> None:
        job = Job(alone=function)
        self._writer.submit(job)
        job.wait(MAINTENANCE_SECONDS)

    def _wake(self) -> None:
        for wake in self._wakes:
            try:
                wake()
            except Exception:
                log.exception("a subscriber failed")
