"""One call of a function on the server that does all of a unit in the plain case: `Store.at_once`.

The statement is a transaction of its own, so what became of it is not known when its answer is lost. It keeps
its result by its request, as a unit does; so either that is found on another connection, or the request is
made void: then whatever of the statement is still on its way does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
import psycopg
from psycopg import errors

from zdriver.core.engines import Address
from zdriver.core.errors import Unavailable
from zdriver.core.ids import new_id
from zdriver.events.envelope import seal
from zdriver.storage.postgres.compiling import statement
from zdriver.storage.postgres.connection import lost, translate
from zdriver.storage.postgres.watch import Session
from zdriver.storage.postgres.writing import VOID, Unknown, in_doubt

T = TypeVar("T")

#: Somebody else was in its way, and a unit knows what to do.
_IN_THE_WAY = (
    errors.IntegrityError,
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
)
#: What every event has alike; the server puts in what is its own.
_ENVELOPE = seal("", "", 0, {}).decode()


class Call(Generic[T]):
    """What `Store.at_once` was asked for. A request without a key gets one: it is how it is found again."""

    def __init__(
        self,
        name: str,
        params: dict[str, Any],
        *,
        address: Address,
        request: str,
        digest: str,
        result: type[T],
        sinks: tuple[str, ...],
        clock: Callable[[], int] | None,
    ) -> None:
        """name: of the statement; clock: None for the database's."""
        self._name = name
        self._params = params
        self._address = address
        self._request = request or new_id()
        self._digest = digest
        self._result = result
        self._sinks = list(sinks)
        self._clock = clock

    def once(self, session: Session) -> T | None:
        """None: nothing was done. Raises Unknown, ZdriverErrors."""
        given = {
            **self._params,
            "request": self._request,
            "digest": self._digest,
            "moment": self._clock() if self._clock else None,
            "base": session.base,
            "sinks": self._sinks,
            "envelope": _ENVELOPE,
        }
        try:
            row = session.connection.execute(statement(self._name), given).fetchone()
        except psycopg.Error as error:
            if lost(error, session.connection):
                raise Unknown(translate(error, self._address)) from error
            if isinstance(error, _IN_THE_WAY):
                return None
            raise translate(error, self._address) from error
        return None if row is None or row["result"] is None else self._decoded(row["result"])

    def settled(self, session: Session, _deadline: float) -> T | None:
        """What became of it, asked on another connection; None: nothing, now and later.

        Raises psycopg.Error.
        """
        key = {"key": self._request}
        session.connection.execute(statement("request.void"), {**key, "digest": VOID})
        row = session.connection.execute(statement("request.find"), key).fetchone()
        return self._decoded(row["result"]) if row and row["digest"] == self._digest else None

    def unknown(self) -> Unavailable:
        return in_doubt(self._address)

    def _decoded(self, result: str) -> T:
        return msgspec.json.decode(result, type=self._result)
