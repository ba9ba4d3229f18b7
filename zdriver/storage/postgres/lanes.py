"""Who writes about the same in one process goes one by one: the others wait here, not on a connection each.

Else a crowd that wants one thing would take all connections, and keep those from going on that want another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from zdriver.core.errors import Unavailable


class _Lane:
    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0


class Lanes:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lanes: dict[str, _Lane] = {}

    @contextmanager
    def held(self, names: Collection[str], deadline: float) -> Iterator[None]:
        """Nobody else is in the lanes with these names.

        Raises Unavailable when that is not so by `deadline` (time.monotonic()).
        """
        taken: list[str] = []
        try:
            for name in sorted(names):
                self._take(name, deadline)
                taken.append(name)
            yield
        finally:
            for name in taken:
                self._give(name)

    def _take(self, name: str, deadline: float) -> None:
        with self._lock:
            lane = self._lanes.setdefault(name, _Lane())
            lane.users += 1
        if not lane.lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            self._leave(name, lane)
            raise Unavailable("others were at it for too long; nothing was saved", hint="do it again")

    def _give(self, name: str) -> None:
        lane = self._lanes[name]
        lane.lock.release()
        self._leave(name, lane)

    def _leave(self, name: str, lane: _Lane) -> None:
        with self._lock:
            lane.users -= 1
            if not lane.users:
                del self._lanes[name]
