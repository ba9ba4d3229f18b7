"""Listening sockets: bound under another name and renamed, so that nobody meets a half-made one."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

#: Connections that may wait to be accepted; the system may lower it.
BACKLOG = 4096


class Listener:
    """A listening Unix socket and the name it has in the file system."""

    def __init__(self, path: Path, sock: socket.socket) -> None:
        self.path = path
        self.sock = sock
        self._identity = _identity(path)

    @classmethod
    def bind(cls, path: Path) -> Listener:
        """Listen at `path`, in the place of whatever is there. Only the lock's holder may do this."""
        # at most as long as the longest socket's name: the path has to fit
        temporary = path.with_name(f"{path.name[0]}.{os.getpid()}")
        temporary.unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind(os.fspath(temporary))
        temporary.chmod(0o600)
        sock.listen(BACKLOG)
        sock.setblocking(False)
        temporary.rename(path)
        return cls(path, sock)

    @classmethod
    def inherited(cls, path: Path, fd: int) -> Listener:
        return cls(path, socket.socket(fileno=fd))

    def in_place(self) -> bool:
        """Whether a client that opens the path still comes to this socket."""
        return self._identity is not None and _identity(self.path) == self._identity

    def withdraw(self) -> None:
        """Remove the name, if it is still this socket's: nobody new will come."""
        if self.in_place():
            with contextlib.suppress(OSError):
                self.path.unlink()

    def close(self) -> None:
        """Stop listening; who waits to be accepted is told that the connection is closed."""
        self.withdraw()
        self.sock.close()


def answers(path: Path) -> bool:
    """Whether somebody listens at `path`: a probe says more than a pid."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(1.0)
        try:
            sock.connect(os.fspath(path))
        except TimeoutError:
            return True  # it listens, but its queue is full
        except OSError:
            return False
        return True


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
