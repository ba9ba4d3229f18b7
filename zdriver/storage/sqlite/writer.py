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
from typing import Any

import apsw
import msgspec

from zdriver.core.clock import Clock
from zdriver.core.errors import Conflict, Internal, StorageFull, Unavailable, ZdriverError
from zdriver.storage.sqlite.connection import FileDamaged, SyncFailed, storage_full, translate
from zdriver.storage.sqlite.database import Database
from zdriver.storage.sqlite.job import Job
from zdriver.storage.sqlite.reserve import Reserve
from zdriver.storage.sqlite.transaction import Columns, SqliteTransaction

log = logging.getLogger(__name__)

BATCH = 64
BATCH_SECONDS = 0.005
#: With nothing to write for so long, the log is moved into the database.
IDLE_SECONDS = 0.1
REQUEST_KEPT_US = 24 * 3600 * 1_000_000
EXPIRE_EVERY_US = 600 * 1_000_000
CLOSED = Unavailable("the store is closed", hint="open it again")


class _BatchLost(Exception):
    """The transaction is gone, or must go: nothing of the batch can be kept."""

    def __init__(self, error: ZdriverError) -> None:
        super().__init__(str(error))
        self.error = error


class _Spoiled(Exception):
    """A unit failed after it had written something."""


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
            except _BatchLost as lost:
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
        except _BatchLost as again:
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
            except _Spoiled:
                connection.execute("ROLLBACK")
                return self._attempt(connection, batch, gather=False, savepoints=True)
        except apsw.Error as error:
            raise self._lost(connection, translate(error, connection)) from error
        except _BatchLost as lost:
            raise self._lost(connection, lost.error) from lost
        except Exception as error:  # what a unit put off is nothing that can be written
            log.exception("what %d writes put off", len(batch))
            raise self._lost(connection, Internal(repr(error))) from error

    def _attempt(
        self, connection: apsw.Connection, batch: list[Job], *, gather: bool, savepoints: bool
    ) -> SqliteTransaction:
        """Raises _Spoiled without `savepoints`."""
        tx = SqliteTransaction(
            connection, self._database.catalog, self._columns, clock=self._clock, sinks=self._sinks
        )
        blocked = self._reserve.blocked()
        unit = self._guarded if savepoints else self._unit
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
        self._database.requests.add(
            tx.requests
        )  # before: a commit that fails may be on the disk all the same
        connection.execute("COMMIT")
        return tx

    def _lost(self, connection: apsw.Connection, error: ZdriverError) -> _BatchLost:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except apsw.Error:
            log.exception("ROLLBACK failed")
        return _BatchLost(error)

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

    def _unit(self, tx: SqliteTransaction, job: Job, blocked: bool) -> None:
        """Run one, and note its outcome. Raises _Spoiled when it failed with something written."""
        assert job.unit is not None
        if blocked and not job.urgent:
            job.fail(storage_full())
            return
        connection, mark = self._database.connection, tx.mark()
        written = connection.total_changes()
        try:
            job.value, job.error = self._run(tx, job), None
        except BaseException as error:
            ours = self._survivable(connection, error) if isinstance(error, apsw.Error) else error
            if connection.total_changes() != written:
                raise _Spoiled from error
            tx.back_to(mark)
            job.fail(ours)

    def _guarded(self, tx: SqliteTransaction, job: Job, blocked: bool) -> None:
        """The same in a savepoint, which takes back what a unit that fails has written."""
        connection = self._database.connection
        tx.catch_up()  # what others put off is not of this savepoint
        mark = tx.mark()
        connection.execute("SAVEPOINT unit")
        try:
            self._unit(tx, job, blocked)
        except _Spoiled as spoiled:
            tx.back_to(mark)
            connection.execute("ROLLBACK TO unit")
            cause = spoiled.__cause__
            assert cause is not None
            job.fail(translate(cause, connection) if isinstance(cause, apsw.Error) else cause)
        connection.execute("RELEASE unit")

    @staticmethod
    def _survivable(connection: apsw.Connection, error: apsw.Error) -> ZdriverError:
        """Our error, when only this unit failed. Raises _BatchLost when the batch did."""
        ours = translate(error, connection)
        disk = isinstance(error, (apsw.FullError, apsw.IOError, apsw.CorruptError, apsw.NotADBError))
        if disk or not connection.in_transaction:
            raise _BatchLost(ours) from error
        return ours

    def _run(self, tx: SqliteTransaction, job: Job) -> Any:
        assert job.unit is not None
        if not job.request:
            return job.unit(tx)
        new = job.request not in tx.requests and self._database.requests.is_new(job.request)
        known = None if new else tx.one("request.find", key=job.request)
        if known is not None:
            if known["digest"] != job.digest:
                raise Conflict(
                    "this request id was used for something else", hint="give every request an id of its own"
                )
            return msgspec.json.decode(known["result"], type=job.result or Any)
        value = job.unit(tx)
        tx.keep(job.request, job.digest, msgspec.json.encode(value).decode())
        return value

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
