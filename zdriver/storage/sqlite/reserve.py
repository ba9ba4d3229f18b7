"""Room kept back on the disk, so that what frees room still works when it is full."""

from __future__ import annotations

import os
from pathlib import Path

SIZE = 8 << 20  #: bytes
#: Beyond the reserve this much must be free before ordinary writes go on.
MARGIN = 1 << 20


class Reserve:
    """A file of `SIZE` bytes beside the database; given up when the disk is full.

    While it is given up, `blocked` keeps ordinary writes from eating what it freed.
    """

    def __init__(self, path: Path, size: int = SIZE) -> None:
        self._path = path
        self._size = size
        self._freed = False

    def keep(self) -> bool:
        """Make the file if there is room; False when there is none."""
        try:
            if self._path.exists() and self._path.stat().st_size == self._size:
                self._freed = False
                return True
            if self._free() < self._size + MARGIN:
                return False
            descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                self._fill(descriptor)
            finally:
                os.close(descriptor)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        self._freed = False
        return True

    def free(self) -> None:
        """The disk is full: give the room up."""
        try:
            self._path.unlink()
        except OSError:
            return  # there was none: nothing to protect
        self._freed = True

    def blocked(self) -> bool:
        """Whether ordinary writes must wait for room; takes the reserve back as soon as there is."""
        return self._freed and not self.keep()

    def _free(self) -> int:
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize

    def _fill(self, descriptor: int) -> None:
        try:
            os.posix_fallocate(descriptor, 0, self._size)
        except AttributeError:  # not on macOS
            os.write(descriptor, bytes(self._size))
