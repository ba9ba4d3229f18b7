"""One process owns a SQLite store, for as long as it lives."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from zdriver.core import paths
from zdriver.core.errors import StoreInUse


class Ownership:
    """A flock on a file beside the database; the kernel ends it with the process.

    The pid inside is only for the message. The descriptor closes on exec; a process that
    forks without exec must do so before it opens the store, or the child holds the lock too.
    """

    def __init__(self, lock: Path) -> None:
        """Raises StoreInUse when another owns it, Unavailable when the file cannot be made."""
        self._lock = lock
        self._descriptor = _take(lock)

    def keep(self) -> None:
        """Own what is at the path now, should the file have been removed. Raises as `__init__`."""
        try:
            there = self._lock.stat()
        except OSError:
            there = None
        mine = os.fstat(self._descriptor)
        if there is None or (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
            new = _take(self._lock)
            self.release()
            self._descriptor = new

    def release(self) -> None:
        os.close(self._descriptor)


def _take(lock: Path) -> int:
    """The descriptor that holds it. Raises StoreInUse, Unavailable."""
    try:
        descriptor = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise paths.unwritable(lock, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise StoreInUse(
            f"another process owns the store{f' (pid {holder})' if holder else ''}",
            hint="use zdriver.connect() to share it, or stop the daemon: zdriver daemon stop",
        ) from error
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        pass  # a full disk must not keep anybody from reading
    return descriptor
