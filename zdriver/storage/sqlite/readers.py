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
from zdriver.storage.sqlite.transaction import Columns, More, SqliteGlance, SqliteReading

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
        self._columns: Columns = {}
        self._clock = clock
        self._idle: deque[apsw.Connection] = deque()
        self._lock = threading.Lock()
        self._returned = threading.Condition(self._lock)  #: notified while it is drained
        self._busy = 0
        self._open = True

    def read(self, unit: Callable[[Reading], T]) -> T:
        """Run `unit` on one consistent view. Raises apsw.Error, and Drained after `drain`."""
        with self._lock:
            if not self._open:
                raise Drained
            self._busy += 1
            connection = self._idle.pop() if self._idle else None
        try:
            if connection is None:
                connection = open_reader(self._path)
            try:
                return unit(SqliteGlance(connection, self._catalog, self._columns, clock=self._clock))
            except More:
                return self._whole(connection, unit)
        except apsw.Error:
            # Whatever is wrong with it, the next read shall not meet it.
            if connection is not None:
                close_quietly(connection)
                connection = None
            raise
        finally:
            self._give_back(connection)

    def _whole(self, connection: apsw.Connection, unit: Callable[[Reading], T]) -> T:
        connection.execute("BEGIN")
        try:
            return unit(SqliteReading(connection, self._catalog, self._columns, clock=self._clock))
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _give_back(self, connection: apsw.Connection | None) -> None:
        with self._lock:
            self._busy -= 1
            if not self._open:
                self._returned.notify_all()
            elif connection is not None and len(self._idle) < IDLE_MAX:
                self._idle.append(connection)
                return
        if connection is not None:
            close_quietly(connection)

    def drain(self, timeout: float) -> bool:
        """Close all connections once the running reads are done; False when some still run."""
        with self._lock:
            self._open = False
            idle, self._idle = list(self._idle), deque()
            done = self._returned.wait_for(lambda: self._busy == 0, timeout)
        for connection in idle:
            close_quietly(connection)
        return done
