"""One of several daemons does what only one may do: who holds an advisory lock of its session."""

from __future__ import annotations

import logging

import psycopg

from zdriver.core.engines import Address
from zdriver.core.errors import Unavailable
from zdriver.storage.postgres.connection import Connection, close_quietly, connect
from zdriver.storage.postgres.keys import lock_key
from zdriver.storage.postgres.watch import Session, Watch

log = logging.getLogger(__name__)

#: Seconds for an answer; then the server counts as hung.
PATIENCE = 5.0
#: Seconds to wait for another one: of one that was killed the server hears at once.
TURN = 3


def take_turn(connection: Connection, name: str) -> bool:
    """Be the only one that does what has this name, until the connection ends; False: another one is.

    Raises psycopg.Error.
    """
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{TURN}s'".encode())
            connection.execute("SELECT pg_advisory_lock(%s)", (lock_key(name),))
    except psycopg.errors.LockNotAvailable:
        return False
    return True


class Leadership:
    """For one thread. The lock lives as long as its connection, which the server ends for a dead machine.

    The connection is its own: behind a pooler that shares sessions there would be two leaders.
    """

    def __init__(self, address: Address, name: str) -> None:
        """name  of what only one may do: "relay:rabbitmq" """
        self._address = address
        self._name = name
        self._session: Session | None = None
        self._watch = Watch()
        self._leads = False

    def lead(self) -> bool:
        """Whether this process leads, asked of the server each time. Raises Unavailable when it is away."""
        try:
            session = self._connected()
            with self._watch.guarded(session, PATIENCE):
                if self._leads:
                    session.connection.execute("SELECT 1")
                    return True
                row = session.connection.execute(
                    "SELECT pg_try_advisory_lock(%s) AS got", (lock_key(self._name),)
                ).fetchone()
        except psycopg.Error as error:
            self.release()
            raise Unavailable(
                f"{self._address.setting}: the connection that holds the lock {self._name} was lost",
                hint="it is tried again",
            ) from error
        self._leads = row is not None and bool(row["got"])
        if self._leads:
            log.info("leads: %s", self._name)
        return self._leads

    def release(self) -> None:
        """Let another one. Nothing to do where this one does not lead."""
        session, self._session, self._leads = self._session, None, False
        if session is not None:
            close_quietly(session.connection)

    def _connected(self) -> Session:
        if self._session is None:
            self._session = Session(connect(self._address, autocommit=True))
        return self._session
