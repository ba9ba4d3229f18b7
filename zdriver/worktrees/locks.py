"""Who in this process is at which worktree: one at a time, different ones at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from zdriver.core import platform


class Locks:
    """Locks by key, made when wanted and dropped when nobody holds or waits for them."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held: dict[tuple[str, ...], tuple[threading.RLock, int]] = {}

    @contextmanager
    def held(self, *key: str) -> Iterator[None]:
        """Wait for the lock of `key`, e.g. (repository's id, worktree's name). Re-entrant."""
        with self._guard:
            lock, users = self._held.get(key, (threading.RLock(), 0))
            self._held[key] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                lock, users = self._held.pop(key)
                if users > 1:
                    self._held[key] = (lock, users - 1)


@cache
def _own(pid: int) -> str:
    found = platform.process(pid)
    return f"{platform.boot_id()}/{pid}/{found.started if found else 0}"


def owner() -> str:
    """This process, as it stands in `worktrees.owner`: boot/pid/start."""
    return _own(os.getpid())


def is_alive(owner: str) -> bool:
    """Whether the process that `owner` names still runs; "" is nobody."""
    boot, _, rest = owner.partition("/")
    pid, _, started = rest.partition("/")
    if not pid.isdigit() or boot != platform.boot_id():
        return False
    found = platform.process(int(pid))
    return found is not None and str(found.started) == started
