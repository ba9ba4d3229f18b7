"""The daemon's fork server and its socket: kept alive, but never at the price of a busy loop."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from zdriver.core import platform
from zdriver.daemon import forkserver
from zdriver.daemon.sockets import Listener

log = logging.getLogger(__name__)

#: Seconds that a server has to have lived to be started again at once; else that waits for `AGAIN`.
LIVED = 5.0
AGAIN = 30.0


class Forks:
    """Commands run in place whenever this has no server: the socket is gone then."""

    def __init__(self, listener: Listener) -> None:
        """Fork the server. This process must have no thread yet."""
        self._listener = listener
        self._server: forkserver.ForkServer | None = forkserver.start(listener)
        self._watch: platform.Watch | None = None
        self._started = time.monotonic()
        self._not_before = 0.0

    @classmethod
    def bind(cls, path: Path) -> Forks:
        return cls(Listener.bind(path))

    @classmethod
    def inherited(cls, path: Path, fd: int) -> Forks:
        return cls(Listener.inherited(path, fd))

    @property
    def pid(self) -> int:
        """0 when there is none."""
        return self._server.pid if self._server is not None and self._server.alive else 0

    def watch(self) -> int:
        """A descriptor that is readable when the server has died; -1 when there is nothing to watch."""
        if self._watch is None and self._server is not None:
            try:
                self._watch = platform.watch(self._server.pid)
            except ProcessLookupError:
                return -1
        return self._watch.fileno() if self._watch is not None else -1

    def look(self) -> None:
        """Put right what went wrong: the server died, or somebody removed its socket."""
        if self.pid and self._listener.in_place():
            return
        now = time.monotonic()
        if self._server is not None:
            log.warning("the fork server or its socket is gone")
            self._let_go()
            self._not_before = now if now - self._started > LIVED else now + AGAIN
        if now < self._not_before:
            return
        self._started, self._not_before = now, now + AGAIN
        try:
            self._listener = Listener.bind(self._listener.path)
            self._server = forkserver.spawn(self._listener)
        except OSError:
            log.exception("the fork server cannot be started")
            self._let_go()

    def withdraw(self) -> None:
        """Let no new command come."""
        self._listener.withdraw()

    def hand_over(self) -> int:
        """The listening socket's descriptor, for the next program; the server finishes by itself."""
        if self._server is None:
            self._listener = Listener.bind(self._listener.path)
        else:
            self._server.drain()
        os.set_inheritable(self._listener.sock.fileno(), True)
        return self._listener.sock.fileno()

    def end(self) -> None:
        """Let the server finish its commands, and end."""
        self._let_go()

    def _let_go(self) -> None:
        self._listener.close()
        if self._server is not None:
            self._server.drain()
        if self._watch is not None:
            self._watch.close()
        self._server = self._watch = None
