"""Short-lived reads beside the writer, on connections of their own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import apsw

from zdriver.core.clock import Clock
from zdriver.storage.port import Reading
from zdriver.storage.sqlite.connection import close_quietly, open_reader
from zdriver.storage.sqlite.transaction import SqliteReading

T = TypeVar("T")

#: Connections kept open between reads; under a burst more are opened, then closed again.
IDLE_MAX = 4


class Drained(Exception):
    """The pool was drained: there is another one, or the store is closed."""


class ReaderPool:
    """Read-only connections to one file, until `drain`."""

    def __init__(self, path: Path, catalog: Mapping[str, str], clock: Clock) -> None:
        self._path = path
        self._catalog = catalog
        self._clock = clock
        self._idle: deque[apsw.Connection] = deque()
        self._changed = threading.Condition()
        self._busy = 0
        self._open = True

    def read(self, unit: Callable[[Reading], T]) -> T:
        """Run `unit` on one consistent view. Raises apsw.Error, and Drained after `drain`."""
        with self._changed:
            if not self._open:
                raise Drained
            self._busy += 1
            connection = self._idle.pop() if self._idle else None
        try:
            if connection is None:
                connection = open_reader(self._path)
            connection.execute("BEGIN")
            try:
                return unit(SqliteReading(connection, self._catalog, clock=self._clock))
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except apsw.Error:
            # Whatever is wrong with it, the next read shall not meet it.
            if connection is not None:
                close_quietly(connection)
                connection = None
            raise
        finally:
            self._give_back(connection)

    def _give_back(self, connection: apsw.Connection | None) -> None:
        with self._changed:
            self._busy -= 1
            if connection is not None and self._open and len(self._idle) < IDLE_MAX:
                self._idle.append(connection)
                connection = None
            self._changed.notify_all()
        if connection is not None:
            close_quietly(connection)

    def drain(self, timeout: float) -> bool:
        """Close all connections once the running reads are done; False when some still run."""
        with self._changed:
            self._open = False
            idle, self._idle = list(self._idle), deque()
            done = self._changed.wait_for(lambda: self._busy == 0, timeout)
        for connection in idle:
            close_quietly(connection)
        return done
