"""A program in a pseudo-terminal of ours: what it shows, what is typed, how it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from zdriver.testing.screen import Screen
from zdriver.testing.waiting import until


class Terminal:
    """A terminal window with one program in it. `close` is what closing a window does: SIGHUP."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        rows: int = 40,
        columns: int = 140,
    ) -> None:
        self._screen = Screen(rows, columns)
        self._lock = threading.Lock()
        self.pid, self._master = _spawn(argv, env, cwd, rows, columns)
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65_536)
            except OSError:  # EIO: nobody has the other end any more
                data = b""
            if not data:
                self._ended.set()
                return
            with self._lock:
                self._screen.feed(data)

    def screen(self) -> str:
        with self._lock:
            return self._screen.text()

    def write(self, text: str) -> None:
        """Type, as from a keyboard: "\\r" is Enter, "\\x1bm" is Alt m."""
        data = text.encode()
        while data:
            data = data[os.write(self._master, data) :]

    def wait_for(self, wanted: str | Callable[[str], object], *, deadline: float = 30.0) -> str:
        """Wait until the screen has this text (or the predicate is true of it); the screen."""

        def asked() -> str:
            screen = self.screen()
            return screen if (wanted in screen if isinstance(wanted, str) else wanted(screen)) else ""

        what = repr(wanted) if isinstance(wanted, str) else "the screen"
        return until(asked, what=what, deadline=deadline, shows=self.screen)

    def wait_ended(self, *, deadline: float = 30.0) -> None:
        until(self._ended.is_set, what="the program to leave its terminal", deadline=deadline)

    def close(self) -> None:
        """Close the window. The kernel sends SIGHUP to the program, which may take its time."""
        if self._master < 0:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGHUP)
        try:
            until(self._reap, what="the program to end", deadline=5)
        except AssertionError:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self._ended.wait(timeout=5)
        os.close(self._master)
        self._master = -1

    def _reap(self) -> bool:
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] == self.pid
        except ChildProcessError:
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _spawn(
    argv: Sequence[str], env: Mapping[str, str], cwd: Path, rows: int, columns: int
) -> tuple[int, int]:
    """(pid, our end); the child has a controlling terminal of the given size from its first moment.

    Not `pty.fork`: forking beside threads is unsound, and Python 3.12 says so. A session leader
    that opens a terminal gets it as its controlling one (posix_spawn makes the session first).
    """
    master, slave = os.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    opened = [
        (os.POSIX_SPAWN_OPEN, 0, os.ttyname(slave), os.O_RDWR, 0),
        (os.POSIX_SPAWN_DUP2, 0, 1),
        (os.POSIX_SPAWN_DUP2, 0, 2),
    ]
    enter = ("/bin/sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", str(cwd), *argv)
    pid = os.posix_spawn(enter[0], enter, dict(env), file_actions=opened, setsid=True)
    os.close(slave)
    return pid, master
