"""Cuts off connections that are busy for longer than anybody waits.

A network that swallows packets, or a server that is stopped, gives no error by itself.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zdriver.storage.postgres.connection import Connection

log = logging.getLogger(__name__)

#: Seconds between two looks for what is overdue.
LOOK = 0.5


class Session:
    """One connection, as long as it stands."""

    __slots__ = ("base", "connection", "generation", "used_at")

    def __init__(self, connection: Connection, base: int = 0) -> None:
        self.connection = connection
        self.base = base  #: `event_base`
        self.generation = 0
        self.used_at = 0.0  #: by time.monotonic()

    def usable(self) -> bool:
        """False when the server ended it meanwhile: then there is something to read."""
        if self.connection.closed:
            return False
        return not select.select([self.connection.fileno()], [], [], 0)[0]

    def cut(self) -> None:
        """Whoever waits for an answer gets an error now."""
        try:
            with socket.socket(fileno=socket.dup(self.connection.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is down already


class Watch:
    """Thread-safe. Its thread is there while something is busy."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy: dict[Session, float] = {}
        self._thread: threading.Thread | None = None

    def begin(self, session: Session, seconds: float) -> None:
        """From now on it has so many seconds until `end`."""
        with self._lock:
            self._busy[session] = time.monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="postgresql", daemon=True)
                self._thread.start()

    def end(self, session: Session) -> None:
        with self._lock:
            self._busy.pop(session, None)

    @contextmanager
    def guarded(self, session: Session, seconds: float) -> Iterator[None]:
        """What is asked in the block is answered in so many seconds, or ends with an error."""
        self.begin(session, seconds)
        try:
            yield
        finally:
            self.end(session)

    def _look(self) -> None:
        while True:
            time.sleep(LOOK)
            with self._lock:  # held while cutting: else the session may be somebody else's by then
                now = time.monotonic()
                for session, until in self._busy.items():
                    if until < now:
                        log.warning("PostgreSQL did not answer in time: a connection is cut off")
                        session.cut()
                if not self._busy:
                    self._thread = None
                    return
