"""A real terminal to run Zellij in: tmux on a private socket, one window per tmux session."""

from __future__ import annotations

import contextlib
import itertools
import shlex
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from zdriver.testing import Home, processes, until

COLUMNS, ROWS = 160, 45


class Tmux:
    """One tmux server in `home`: the windows of one test."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.socket = home.path / "tmux"
        self._names = itertools.count(1)
        self.windows: list[Window] = []
        # Else it ends with its last window, perhaps just when the next one is opened.
        self("start-server", ";", "set-option", "-g", "exit-empty", "off")

    def __call__(self, *words: str, check: bool = True) -> str:
        return subprocess.run(
            ["tmux", "-f", "/dev/null", "-S", str(self.socket), *words],
            env={**self.home.env, "TERM": "xterm-256color"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=check,
            timeout=60,
        ).stdout

    def open(self, argv: Sequence[str], *, cwd: Path, columns: int = COLUMNS, rows: int = ROWS) -> Window:
        """A new window with `argv` in it."""
        name = f"w{next(self._names)}"
        size = ("-x", str(columns), "-y", str(rows))
        self("new-session", "-d", *size, "-s", name, "-c", str(cwd), shlex.join(argv))
        # A detached tmux session keeps the size it was made with; the default follows clients.
        window = Window(
            self, name, int(self("display-message", "-p", "-t", name, "#{pane_pid}", check=False) or 0)
        )
        self.windows.append(window)
        return window

    def stop(self) -> None:
        self("kill-server", check=False)


class Window:
    """A terminal window with one program in it."""

    def __init__(self, tmux: Tmux, name: str, pid: int) -> None:
        self._tmux = tmux
        self.name = name
        self.pid = pid  #: of its program
        self._last = ""

    def type(self, text: str) -> None:
        """Characters as they are, followed by nothing."""
        self._tmux("send-keys", "-t", self.name, "-l", "--", text)

    def line(self, text: str) -> None:
        """Characters and Enter."""
        self.type(text)
        self.keys("Enter")

    def keys(self, *names: str) -> None:
        """Keys by tmux's names: `Enter`, `Escape`, `C-o`, `M-m`, `Left` …"""
        self._tmux("send-keys", "-t", self.name, *names)

    def screen(self) -> str:
        """What it shows; what it showed last, once it is closed."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self._last = self._tmux("capture-pane", "-p", "-t", self.name).rstrip("\n")
        return self._last

    def wait_for(self, wanted: str | Callable[[str], object], *, deadline: float = 30.0) -> str:
        """Wait until the screen has this text (or the predicate is true of it); the screen."""

        def asked() -> str:
            screen = self.screen()
            return screen if (wanted in screen if isinstance(wanted, str) else wanted(screen)) else ""

        what = repr(wanted) if isinstance(wanted, str) else "the screen"
        return until(asked, what=what, deadline=deadline, shows=lambda: self._last)

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-t", self.name, "-x", str(columns), "-y", str(rows))

    def alive(self) -> bool:
        return processes.alive(self.pid)

    def wait_ended(self, *, deadline: float = 30.0) -> None:
        until(lambda: not self.alive(), what=f"the program of window {self.name} to end", deadline=deadline)

    def close(self) -> None:
        """Close the window: its program gets SIGHUP."""
        self.screen()
        self._tmux("kill-session", "-t", self.name, check=False)
        self.wait_ended()
