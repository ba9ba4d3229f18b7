"""Connections of one process to one database: a few, each for one transaction at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from zdriver.core.errors import Unavailable
from zdriver.storage.postgres.connection import close_quietly
from zdriver.storage.postgres.watch import Session, Watch

#: Transactions of one process at the same time. PostgreSQL has 100 connections for everybody by default.
LIMIT = 8
#: Connections kept open with nothing to do, and for how long the others are, in seconds.
KEPT, IDLE_SECONDS = 2, 60.0
CLOSED = Unavailable("the store is closed", hint="open it again")


class Pool:
    """Thread-safe."""

    def __init__(self, open_one: Callable[[float], Session], watch: Watch, limit: int = LIMIT) -> None:
        """`open_one` makes a session within so many seconds; raises ZdriverError."""
        self._open_one = open_one
        self._watch = watch
        self._limit = limit
        self._changed = threading.Condition()
        self._idle: list[Session] = []  #: the one used last at the end
        self._busy: set[Session] = set()
        self._opening = 0
        self._generation = 0
        self._closed = False

    def take(self, deadline: float, busy: float) -> Session:
        """A session that is the caller's until `give`; by `deadline` (time.monotonic()).

        busy  seconds after which it is cut off

        Raises Unavailable, and what opening one raises.
        """
        with self._changed:
            session = self._idle_one(deadline)
            generation = self._generation
            if session is not None:
                return self._out(session, busy)
            self._opening += 1
        try:
            session = self._open_one(max(0.1, deadline - time.monotonic()))
            session.generation = generation
            with self._changed:
                return self._out(session, busy)
        finally:
            with self._changed:
                self._opening -= 1
                self._changed.notify()

    def _idle_one(self, deadline: float) -> Session | None:
        """None: a new one may be opened."""
        while True:
            if self._closed:
                raise Unavailable(CLOSED.message, hint=CLOSED.hint)
            while self._idle:
                session = self._idle.pop()
                if session.usable():
                    return session
                close_quietly(session.connection)
            if len(self._busy) + self._opening < self._limit:
                return None
            if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                raise Unavailable("the store was busy for too long; nothing was saved", hint="do it again")

    def _out(self, session: Session, busy: float) -> Session:
        self._busy.add(session)
        self._watch.begin(session, busy)
        return session

    def give(self, session: Session) -> None:
        """Back, with no transaction open; one that broke is closed."""
        self._watch.end(session)
        session.used_at = time.monotonic()
        surplus = session
        with self._changed:
            self._busy.discard(session)
            if session.generation == self._generation and not (self._closed or session.connection.closed):
                self._idle.append(session)
                if len(self._idle) <= KEPT or self._idle[0].used_at > session.used_at - IDLE_SECONDS:
                    self._changed.notify()
                    return
                surplus = self._idle.pop(0)
            self._changed.notify()
        close_quietly(surplus.connection)

    def trim(self) -> None:
        """Close what nobody needed for a while."""
        before = time.monotonic() - IDLE_SECONDS
        with self._changed:
            old = [each for each in self._idle[:-KEPT] if each.used_at < before]
            self._idle = [each for each in self._idle if each not in old]
        for each in old:
            close_quietly(each.connection)

    def lost(self) -> None:
        """The server went away: what is idle is as dead as what was busy."""
        with self._changed:
            self._generation += 1
            idle, self._idle = self._idle, []
        for each in idle:
            close_quietly(each.connection)

    def close(self, seconds: float) -> None:
        """Nothing new; what runs is given `seconds` to end, then it is cut off."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._busy and not self._opening, seconds)
            rest, idle, self._idle = list(self._busy), self._idle, []
        for each in rest:
            each.cut()
        for each in idle:
            close_quietly(each.connection)
