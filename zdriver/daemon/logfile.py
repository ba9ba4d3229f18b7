"""The daemon's log: its stdout and stderr are the file, which is turned over when it is full.

So a traceback, a child's complaint and a crash of the interpreter land there as well.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
import threading
from pathlib import Path

from zdriver.core.paths import make_folders

#: Bytes of one file, and how many are kept: daemon.log, daemon.log.1 … daemon.log.4.
SIZE = 1 << 20
FILES = 5

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class LogFile(logging.Handler):
    """Takes over descriptors 1 and 2 at `open()`."""

    def __init__(self, path: Path, *, size: int = SIZE, files: int = FILES) -> None:
        super().__init__()
        self.path = path
        self._size = size
        self._files = files
        self._turning = threading.Lock()
        self.setFormatter(logging.Formatter(FORMAT))

    def open(self) -> None:
        """Raises OSError when the file cannot be written."""
        make_folders(self.path.parent)
        fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for standard in (1, 2):
            os.dup2(fd, standard, inheritable=True)
        os.close(fd)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            os.write(2, (self.format(record) + "\n").encode("utf-8", "backslashreplace"))
            self.turn_over()
        except OSError:
            pass  # a full disk must not stop the daemon

    def turn_over(self) -> None:
        """Begin a new file if this one is full, or was removed. Called now and then, too, because
        not all that is written passes through `emit`.
        """
        with self._turning:
            here = os.fstat(2)
            there = self.path.stat() if self.path.exists() else None
            if there is None or there.st_ino != here.st_ino:
                self.open()
            elif here.st_size > self._size:
                names = [self.path.name, *(f"{self.path.name}.{n}" for n in range(1, self._files))]
                for newer, older in reversed(list(itertools.pairwise(names))):
                    if self.path.with_name(newer).exists():
                        self.path.with_name(newer).replace(self.path.with_name(older))
                self.open()


def to_file(path: Path, level: str) -> LogFile:
    """Log to `path` from now on, descriptors 1 and 2 included."""
    handler = LogFile(path)
    handler.open()
    _only(handler, level)
    return handler


def to_stderr(level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORMAT))
    _only(handler, level)


def _only(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
