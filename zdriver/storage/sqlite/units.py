"""How each unit of a batch is run, and what becomes of the batch when one fails."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec

from zdriver.core.errors import Conflict, ZdriverError
from zdriver.storage.sqlite.connection import storage_full, translate
from zdriver.storage.sqlite.database import Database
from zdriver.storage.sqlite.job import Job
from zdriver.storage.sqlite.transaction import SqliteTransaction


class BatchLost(Exception):
    """The transaction is gone, or must go: nothing of the batch can be kept."""

    def __init__(self, error: ZdriverError) -> None:
        super().__init__(str(error))
        self.error = error


class Spoiled(Exception):
    """A unit failed after it had written something."""


class Units:
    """For the writer's thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def run(self, tx: SqliteTransaction, job: Job, blocked: bool) -> None:
        """Run one, and note its outcome. Raises Spoiled when it failed with something written."""
        assert job.unit is not None
        if blocked and not job.urgent:
            job.fail(storage_full())
            return
        connection, mark = self._database.connection, tx.mark()
        written = connection.total_changes()
        try:
            job.value, job.error = self._value(tx, job), None
        except BaseException as error:
            ours = self._survivable(connection, error) if isinstance(error, apsw.Error) else error
            if connection.total_changes() != written:
                raise Spoiled from error
            tx.back_to(mark)
            job.fail(ours)

    def guarded(self, tx: SqliteTransaction, job: Job, blocked: bool) -> None:
        """The same in a savepoint, which takes back what a unit that fails has written."""
        connection = self._database.connection
        tx.catch_up()  # what others put off is not of this savepoint
        mark = tx.mark()
        connection.execute("SAVEPOINT unit")
        try:
            self.run(tx, job, blocked)
        except Spoiled as spoiled:
            tx.back_to(mark)
            connection.execute("ROLLBACK TO unit")
            cause = spoiled.__cause__
            assert cause is not None
            job.fail(translate(cause, connection) if isinstance(cause, apsw.Error) else cause)
        connection.execute("RELEASE unit")

    @staticmethod
    def _survivable(connection: apsw.Connection, error: apsw.Error) -> ZdriverError:
        """Our error, when only this unit failed. Raises BatchLost when the batch did."""
        ours = translate(error, connection)
        disk = isinstance(error, (apsw.FullError, apsw.IOError, apsw.CorruptError, apsw.NotADBError))
        if disk or not connection.in_transaction:
            raise BatchLost(ours) from error
        return ours

    def _value(self, tx: SqliteTransaction, job: Job) -> Any:
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
