"""The one thread that writes: what waits together is committed together.

A batch takes what is queued, at most `BATCH` units or `BATCH_SECONDS`. A unit that fails takes
nothing along: mostly it wrote nothing yet; else the batch is rolled back and run again, each unit
in a savepoint of its own (which would cost every batch two statements more per unit). A lone write
commits at once. Outcomes and wakes leave only after COMMIT; when it fails, nobody in the batch was
saved and all hear so.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

import apsw

from zdriver.core.clock import Clock
from zdriver.core.errors import Internal, StorageFull, Unavailable, ZdriverError
from zdriver.storage.sqlite.connection import FileDamaged, SyncFailed, translate
from zdriver.storage.sqlite.database import Database
from zdriver.storage.sqlite.job import Job
from zdriver.storage.sqlite.reserve import Reserve
from zdriver.storage.sqlite.transaction import Columns, SqliteTransaction
from zdriver.storage.sqlite.units import BatchLost, Spoiled, Units

log = logging.getLogger(__name__)

BATCH = 64
BATCH_SECONDS = 0.005
#: With nothing to write for so long, the log is moved into the database.
IDLE_SECONDS = 0.1
REQUEST_KEPT_US = 24 * 3600 * 1_000_000
EXPIRE_EVERY_US = 600 * 1_000_000
CLOSED = Unavailable("the store is closed", hint="open it again")


class Writer:
    """Owns the queue and the writing connection of `database`."""

    def __init__(
        self,
        database: Database,
        reserve: Reserve,
        *,
        clock: Clock,
        sinks: tuple[str, ...],
        wake: Callable[[], None],
        tell: Callable[[list[tuple[str, str]]], None],
        after: Callable[[], None],
    ) -> None:
        """Called are `wake` after commits with events, `tell` after those with notes, `after` after all."""
        self._database = database
        self._reserve = reserve
        self._clock = clock
        self._sinks = sinks
        self._wake = wake
        self._tell = tell
        self._after = after
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._held: Job | None = None
        self._columns: Columns = {}
        self._units = Units(database)
        self._accepting = threading.Lock()
        self._closed = False
        self._expired_at = 0
        self._thread = threading.Thread(target=self._loop, name="zdriver-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Raises Unavailable when the store is closed."""
        with self._accepting:
            if self._closed:
                raise Unavailable(CLOSED.message, hint=CLOSED.hint)
            self._queue.put(job)

    def close(self) -> None:
        """Finish all that was accepted."""
        with self._accepting:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _loop(self) -> None:
        while True:
            job = self._held or self._wait()
            self._held = None
            if job is None:
                return
            if not job.claim():
                continue
            if job.alone is not None:
                self._alone(job)
            else:
                self._commit(job)
            self._upkeep(idle=False)

    def _wait(self) -> Job | None:
        if self._database.wants_checkpoint():
            try:
                return self._queue.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                self._upkeep(idle=True)
        return self._queue.get()

    def _alone(self, job: Job) -> None:
        assert job.alone is not None
        try:
            job.value = job.alone()
        except apsw.Error as error:
            job.fail(translate(error, self._database.connection))
        except BaseException as error:
            job.fail(error)
        job.finish()

    def _commit(self, first: Job) -> None:
        batch: list[Job] = [first]
        done: SqliteTransaction | None = None
        try:
            self._database.ensure_open()
            try:
                done = self._transaction(batch, gather=True)
            except BatchLost as lost:
                done = self._second_try(batch, lost.error)
        except BaseException as error:  # this thread must outlive whatever happens
            log.exception("a batch of %d writes failed", len(batch))
            self._fail(batch, error if isinstance(error, ZdriverError) else Internal(repr(error)))
        for job in batch:
            job.finish()
        if done is not None and done.emitted:
            self._wake()
        if done is not None and done.notes:
            self._tell(done.notes)

    def _second_try(self, batch: list[Job], error: ZdriverError) -> SqliteTransaction | None:
        """After a repair the same units run once more: they touch only their transaction."""
        try:
            if isinstance(error, FileDamaged):
                self._database.renew(error)
                return self._transaction(batch, gather=False)
            if isinstance(error, SyncFailed):
                # Not run again: the change may be on the disk all the same.
                self._database.renew(error)
            elif isinstance(error, StorageFull):
                self._reserve.free()
        except BatchLost as again:
            error = again.error
        except ZdriverError as again:
            error = again
        self._fail(batch, error)
        return None

    @staticmethod
    def _fail(batch: list[Job], error: ZdriverError) -> None:
        for job in batch:
            # One error object per caller: each raises it with a traceback of its own.
            job.fail(type(error)(error.message, hint=error.hint))

    def _transaction(self, batch: list[Job], *, gather: bool) -> SqliteTransaction:
        """Run and commit; with `gather` take along what is queued."""
        connection = self._database.connection
        try:
            try:
                return self._attempt(connection, batch, gather=gather, savepoints=False)
            except Spoiled:
                connection.execute("ROLLBACK")
                return self._attempt(connection, batch, gather=False, savepoints=True)
        except apsw.Error as error:
            raise self._lost(connection, translate(error, connection)) from error
        except BatchLost as lost:
            raise self._lost(connection, lost.error) from lost
        except Exception as error:  # what a unit put off is nothing that can be written
            log.exception("a batch of %d writes failed at its end", len(batch))
            raise self._lost(connection, Internal(repr(error))) from error

    def _attempt(
        self, connection: apsw.Connection, batch: list[Job], *, gather: bool, savepoints: bool
    ) -> SqliteTransaction:
        """Raises Spoiled without `savepoints`."""
        tx = SqliteTransaction(
            connection, self._database.catalog, self._columns, clock=self._clock, sinks=self._sinks
        )
        blocked = self._reserve.blocked()
        unit = self._units.guarded if savepoints else self._units.run
        began = time.monotonic()
        connection.execute("BEGIN IMMEDIATE")
        for job in batch:
            unit(tx, job, blocked)
        while gather and len(batch) < BATCH and time.monotonic() - began < BATCH_SECONDS:
            more = self._next()
            if more is None:
                break
            batch.append(more)
            unit(tx, more, blocked)
        tx.finish()
        # Before the commit: one that fails may be on the disk all the same.
        self._database.requests.add(tx.requests)
        connection.execute("COMMIT")
        return tx

    def _lost(self, connection: apsw.Connection, error: ZdriverError) -> BatchLost:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except apsw.Error:
            log.exception("ROLLBACK failed")
        return BatchLost(error)

    def _next(self) -> Job | None:
        """The next unit that waits already; what is none ends the batch and runs after it."""
        while True:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return None
            if job is None:
                self._queue.put(None)
                return None
            if job.alone is not None:
                self._held = job
                return None
            if job.claim():
                return job

    def _upkeep(self, *, idle: bool) -> None:
        """Between batches; what fails here fails nobody's write."""
        try:
            self._database.checkpoint(idle=idle)
            now = self._clock()
            if not 0 <= now - self._expired_at < EXPIRE_EVERY_US:
                self._expired_at = now
                self._database.connection.execute(
                    self._database.catalog["request.expire"], {"before": now - REQUEST_KEPT_US}
                ).fetchall()
            self._after()
        except apsw.FullError:
            self._reserve.free()
        except Exception:
            log.exception("upkeep of the store failed")
