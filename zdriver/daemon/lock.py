"""An exclusive lock that ends with its process: `flock`, never a pid file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import Self

#: Seconds between two tries: `flock` cannot wait with a limit.
_AGAIN = 0.01


class FileLock:
    """`path`'s lock, once `take` has said True. The file stays: removing it would split the lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    @classmethod
    def inherited(cls, path: Path, fd: int) -> Self:
        """The lock that this process held before it executed itself again."""
        lock = cls(path)
        lock._fd = fd
        return lock

    def take(self, timeout: float = 0.0) -> bool:
        """Whether the lock was got within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not self._try():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_AGAIN)
        return True

    def _try(self) -> bool:
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(OSError):
            os.fchmod(fd, 0o600)  # a umask may have taken our own rights away
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._fd = fd
        if not self.in_place():  # the file was replaced between open and flock
            self.release()
            return False
        with contextlib.suppress(OSError):
            os.ftruncate(fd, 0)
            os.pwrite(fd, b"%d\n" % os.getpid(), 0)  # for messages only
        return True

    def holder(self) -> str:
        """The pid that whoever took it left, for a message; "" when none can be read."""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            return self.path.read_text().strip()
        return ""

    def in_place(self) -> bool:
        """Whether what others would lock is still this file."""
        try:
            there = self.path.stat()
        except OSError:
            return False
        mine = os.fstat(self._fd)
        return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)

    def fileno(self) -> int:
        return self._fd

    def release(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
