"""One write: a unit in a transaction, run again where that is safe, and its outcome made sure of.

A unit is run again when another transaction was in its way, and when the connection was lost before
COMMIT was sent. When it is lost after that, what became of it is looked up: by its request's row or
its first event, and only once the server is done with the old transaction.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar, cast

import msgspec
import psycopg
from psycopg import errors, sql

from zdriver.core.engines import Address
from zdriver.core.errors import Conflict, Unavailable, ZdriverError
from zdriver.storage.port import Transaction
from zdriver.storage.postgres import timing
from zdriver.storage.postgres.compiling import statement
from zdriver.storage.postgres.connection import lost, translate
from zdriver.storage.postgres.keys import lock_key
from zdriver.storage.postgres.timing import Sample, counted
from zdriver.storage.postgres.transaction import PostgresTransaction
from zdriver.storage.postgres.watch import Session

T = TypeVar("T")

REQUEST_KEPT_US = 24 * 3600 * 1_000_000
#: Digest of a request that nothing was kept for, and that nobody can keep anything for any more but who
#: asks for it again (`calling`).
VOID = "void"
#: Seconds between two looks at a transaction that the server is not done with.
LOOK = 0.05


class Again(Exception):
    """Nothing was saved, and running it once more may save it."""

    def __init__(self, error: ZdriverError, *, lost: bool = False, in_doubt: bool = False) -> None:
        super().__init__(str(error))
        self.error = error
        self.lost = lost  #: with it the connection
        self.in_doubt = in_doubt  #: it was, and had to be looked for


class Unknown(Exception):
    """The connection was lost at COMMIT."""

    def __init__(self, error: ZdriverError) -> None:
        super().__init__(str(error))
        self.error = error


def in_doubt(address: Address) -> Unavailable:
    """What became of it could not be found out."""
    return Unavailable(
        f"{address.setting}: the connection was lost at the commit; this may be saved or not",
        hint="look, then do it again; with the same request id it is never done twice",
    )


class Write(Generic[T]):
    """What `Store.write` was asked for."""

    def __init__(
        self,
        unit: Callable[[Transaction], T],
        *,
        address: Address,
        lock: Sequence[str],
        request: str,
        digest: str,
        result: type[T] | None,
        timeout: float,
        sinks: tuple[str, ...],
        clock: Callable[[], int] | None,
    ) -> None:
        """`clock`: None for the database's."""
        self._unit = unit
        self._address = address
        self.locks = set(lock)  #: names of aggregates; more with each try that showed that they are needed
        self._request = request
        self._digest = digest
        self._result = result
        self._timeout = timeout
        self._sinks = sinks
        self._clock = clock
        self._refused = False  #: by a constraint, which may have been another's doing
        self._xid = 0
        self._tx: PostgresTransaction | None = None
        self._value: T | None = None
        self.heard: Sample | None = None  #: what the database's clock said last

    @property
    def emitted(self) -> int:
        return self._tx.emitted if self._tx is not None else 0

    def once(self, session: Session) -> T:
        """Raises Again, Unknown, ZdriverErrors and what the unit raises; nothing was saved then."""
        self._tx = None
        connection = session.connection
        try:
            tx, known = self._begin(session)
            if known is not None:
                connection.execute(b"ROLLBACK", prepare=False)
                return cast(T, msgspec.json.decode(known, type=self._result or Any))
            self._value = value = self._unit(tx)
            self._commit(tx, value)
        except psycopg.Error as error:
            gone = lost(error, connection)
            self._roll_back(session)
            ours = self._judged(error)
            if gone or ours is None:
                raise Again(ours or translate(error, self._address), lost=gone) from error
            raise ours from error
        except BaseException:
            self._roll_back(session)
            raise
        return value

    def _begin(self, session: Session) -> tuple[PostgresTransaction, str | None]:
        """One round trip: locks first, so that all that is read, and the number of the transaction, which
        orders its events, come after what the lock was waited for. With the result of the same request."""
        cursor = session.connection.cursor()
        cursor.execute(self._beginning(session))
        while cursor.nextset():
            pass
        row = cursor.fetchone()
        assert row is not None
        sample = Sample(row["now"], counted())
        self.heard = sample
        self._xid = row["xid"]
        clock = self._clock or sample.now
        self._tx = tx = PostgresTransaction(
            session, clock, sinks=self._sinks, xid=self._xid, locked=self.locks
        )
        return tx, self._known(tx, row) if self._request else None

    def _beginning(self, session: Session) -> bytes:
        # By name, as everybody does: a claim's before that of a worktree, which may be known only later.
        keys = [lock_key(name) for name in sorted(self.locks)]
        parts = [b"BEGIN", b"SET LOCAL lock_timeout = %d" % max(1, round(self._timeout * 1000))]
        parts += [b"SELECT pg_advisory_xact_lock(%d)" % key for key in keys]
        last = f"SELECT CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT) AS xid, {timing.ASK} AS now"
        if self._request:
            quoted = sql.Literal(self._request).as_string(session.connection)
            last += (
                f", r.digest, r.result, r.at FROM (SELECT 1) AS one LEFT JOIN requests r ON r.key = {quoted}"
            )
        return b";".join([*parts, last.encode()])

    def _known(self, tx: PostgresTransaction, row: dict[str, Any]) -> str | None:
        """The result of the same request, when there is one. Raises Conflict."""
        if row["at"] is None:
            return None
        if row["at"] < tx.now() - REQUEST_KEPT_US or row["digest"] == VOID:
            tx.run("request.drop", key=self._request, at=row["at"])
            return None
        if row["digest"] != self._digest:
            raise Conflict(
                "this request id was used for something else", hint="give every request an id of its own"
            )
        return str(row["result"])

    def _commit(self, tx: PostgresTransaction, value: T) -> None:
        keep = None
        if self._request:
            result = msgspec.json.encode(value).decode()
            keep = {"key": self._request, "digest": self._digest, "result": result, "at": tx.now()}
        try:
            tx.commit(keep)
        except psycopg.Error as error:
            if lost(error, tx.session.connection):
                raise Unknown(translate(error, self._address)) from error
            raise

    def _judged(self, error: psycopg.Error) -> ZdriverError | None:
        """Our error; None when running it again is worth it."""
        if isinstance(error, (errors.SerializationFailure, errors.DeadlockDetected)):
            return None
        if isinstance(error, errors.LockNotAvailable):
            return Unavailable(
                f"somebody else was at it for {self._timeout:g} s; nothing was saved", hint="do it again"
            )
        if isinstance(error, errors.IntegrityError):
            if error.diag.table_name == "events" and self._tx is not None:
                # Another one was about the same: next time it is waited for before anything is read.
                self.locks |= self._tx.aggregates
                return None
            if not self._refused:  # what was looked for came only after the look
                self._refused = True
                return None
        return translate(error, self._address)

    @staticmethod
    def _roll_back(session: Session) -> None:
        with suppress(psycopg.Error):  # the server does it with the connection
            if not session.connection.closed:
                session.connection.execute(b"ROLLBACK", prepare=False)

    # ---- after a connection that was lost at COMMIT -------------------------------------

    def settled(self, session: Session, deadline: float) -> T:
        """What became of it, asked on another connection. Raises Again (nothing was saved), Unavailable
        (that could not be found out), psycopg.Error."""
        assert self._tx is not None
        while (state := self._state(session)) == "in progress":
            if time.monotonic() > deadline:
                raise self.unknown()
            time.sleep(LOOK)  # nothing tells when it ends
        if self._request:
            row = self._asked(session, "request.find", key=self._request)
            saved = row is not None and row["digest"] == self._digest
        elif self._tx.first is not None:
            saved = self._asked(session, "event.known", **self._tx.first._asdict()) is not None
        elif state == "aborted":
            saved = False
        else:  # a server that crashed may have given the number to another one since
            raise self.unknown()
        if saved:
            return cast(T, self._value)
        raise Again(self.unknown(), in_doubt=True)

    def unknown(self) -> Unavailable:
        return in_doubt(self._address)

    def _state(self, session: Session) -> str | None:
        try:
            row = session.connection.execute(
                b"SELECT pg_xact_status(CAST(CAST(%s AS TEXT) AS XID8)) AS state", (str(self._xid),)
            ).fetchone()
        except errors.InvalidParameterValue:  # a number that the server, after a crash, has not given out
            return "aborted"
        return row["state"] if row else None

    @staticmethod
    def _asked(session: Session, name: str, **params: Any) -> dict[str, Any] | None:
        return session.connection.execute(statement(name), params).fetchone()
