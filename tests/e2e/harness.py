"""Open Zellij as a person does, and look at what is there."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.terminal import COLUMNS, ROWS, Tmux, Window
from zdriver.testing import Home, PaneFact, Session, TimedOut, processes, until
from zdriver.testing.panes import sessions

#: Lines shown of each log when a test fails.
LOG_LINES = 80


class Zellij:
    """The Zellij sessions of one home. Started ones are `Opened`; all of it ends with the test."""

    def __init__(self, home: Home, tmux: Tmux) -> None:
        self.home = home
        self._tmux = tmux

    def start(
        self,
        session: str | None = None,
        *,
        cwd: Path | None = None,
        layout: str | Path | None = None,
        attach: str | None = None,
        options: tuple[str, ...] = (),
        columns: int = COLUMNS,
        rows: int = ROWS,
    ) -> Opened:
        """Type `zellij …` in a new window, and wait until its session answers.

        session  `-s NAME`; without, Zellij makes a name up
        attach   `attach NAME` of one that is alive or that Zellij can resurrect
        """
        argv = [self.home.zellij, *options]
        if layout is not None:
            # With -s, --layout would add to a session that is there.
            argv += ["--new-session-with-layout" if session else "--layout", str(layout)]
        if session is not None:
            argv += ["-s", session]
        if attach is not None:
            argv += ["attach", attach]
        before = set(self.sessions())

        def open_() -> Opened | None:
            window = self._tmux.open(argv, cwd=cwd or self.home.path, columns=columns, rows=rows)
            opened = Opened(self.home, session or attach or self._new_name(before, window), window)
            until(opened.server_pid, what=f"the server of {opened.name}", deadline=60, shows=window.screen)
            # Asked anything before its first client has come, a Zellij session stays dead: look first.
            until(
                lambda: window.screen().strip() or not window.alive(),
                what=f"{opened.name} on the screen",
                deadline=60,
            )
            # Zellij 0.45 takes out each client that goes twice: on its word, and when its thread ends. One
            # that comes in between gets its number, and is thrown out; Zellij tells it to attach again.
            return None if attach and not window.alive() else opened

        return until(open_, what="Zellij not to throw out who attaches")

    def window(self, *, cwd: Path) -> Window:
        """Type `zellij`, and wait for nothing: its blank session may be gone before anybody looks,
        where zdriver takes its client over to another one.
        """
        return self._tmux.open([self.home.zellij], cwd=cwd, columns=COLUMNS, rows=ROWS)

    def _new_name(self, before: set[str], window: Window) -> str:
        def new() -> set[str]:
            return set(self.sessions()) - before

        return until(new, what="a new Zellij session", deadline=60, shows=window.screen).pop()

    def sessions(self) -> list[str]:
        """Names with a socket. `zellij list-sessions` would harm a session that starts."""
        return sessions(self.home)

    def session(self, name: str) -> Session:
        return Session(self.home, name)


class Opened(Session):
    """A Zellij session with the window it was opened in."""

    def __init__(self, home: Home, name: str, window: Window) -> None:
        super().__init__(home, name)
        self.window = window
        self._pid = 0  #: of its server, once it was renamed

    def rename(self, name: str) -> None:
        """Give the session another name. Its server's command line keeps the first one."""
        self._pid = self.server_pid()
        self.action("rename-session", name)
        self.name = name

    def server_pid(self) -> int:
        if self._pid:
            return self._pid if processes.alive(self._pid) else 0
        return super().server_pid()

    def type(self, text: str) -> None:
        self.window.type(text)

    def line(self, text: str) -> None:
        self.window.line(text)

    def keys(self, *names: str) -> None:
        self.window.keys(*names)

    def screen(self) -> str:
        return self.window.screen()

    def welcomed(self, intent: str = "") -> Opened:
        """Wait for the banner of a restore, before anything else is asked of Zellij: it goes after 20 s.

        To plugins a `zellij action` is input like a key: a session that is asked while zdriver
        decides counts as one in which somebody types, and is left alone.
        """
        self.window.wait_for(f"Welcome back: {intent}" if intent else "Welcome back")
        return self

    def take_offer(self) -> Opened:
        """Enter; then as `welcomed`, since a session in which somebody types is not replaced."""
        self.window.wait_for("Enter restore")
        self.keys("Enter")
        self.window.wait_for(lambda screen: "Welcome back" in screen and "Enter restore" not in screen)
        return self

    def close_window(self) -> None:
        """What closing a terminal's window does: SIGHUP. Zellij only detaches, and knows of it soon."""
        before = self.clients()
        self.window.close()
        until(lambda: self.clients() < before, what=f"{self.name} to miss its client")

    def quit(self) -> None:
        """What its user does: Ctrl q. The client may leave before the server has ended."""
        self.keys("C-q")
        self.window.wait_ended()
        until(lambda: not self.server_pid(), what=f"the server of {self.name} to end")

    def wait_panes(
        self,
        count: int,
        wanted: Callable[[list[PaneFact]], object] = lambda panes: True,
        *,
        deadline: float = 40.0,
    ) -> list[PaneFact]:
        """Wait until there are so many terminal panes, each with its process, like `wanted`."""
        last: list[PaneFact] = []

        def there() -> list[PaneFact]:
            nonlocal last
            try:
                last = found = self.panes()
            except (subprocess.SubprocessError, TimedOut):  # it starts, and has no answer yet
                return []
            complete = len(found) == count and all(pane.pid or pane.held for pane in found)
            return found if complete and wanted(found) else []

        def shows() -> str:
            return "\n".join([*map(str, last), self.screen()])

        return until(there, what=f"{count} panes", deadline=deadline, shows=shows)

    def wait_running(self, *argv: str, deadline: float = 40.0) -> PaneFact:
        """Wait until a pane has exactly this in its foreground."""

        def there() -> PaneFact | None:
            try:
                return next((pane for pane in self.panes() if pane.argv == argv), None)
            except (subprocess.SubprocessError, TimedOut):
                return None

        return until(there, what=f"{argv} in a pane", deadline=deadline, shows=self.screen)


class Cli:
    """The `zdriver` command in a home, as it is installed beside this interpreter."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def __call__(
        self, *words: str, cwd: Path | None = None, env: dict[str, str] | None = None, deadline: float = 120.0
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["zdriver", *words],
            env={**self.home.env, **(env or {})},
            executable=_which("zdriver", self.home.env["PATH"]),
            cwd=cwd or self.home.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=deadline,
            check=False,
        )

    def data(self, *words: str, cwd: Path | None = None, deadline: float = 120.0) -> Any:
        """`data` of the command's `--json` envelope; an AssertionError with its output if it failed."""
        done = self(*words, "--json", cwd=cwd, deadline=deadline)
        assert done.returncode == 0, (
            f"zdriver {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return json.loads(done.stdout)["data"]


def _which(program: str, path: str) -> str:
    for folder in path.split(os.pathsep):
        found = Path(folder) / program
        if os.access(found, os.X_OK):
            return str(found)
    raise AssertionError(f"{program} is not installed in {path}")


def evidence(home: Home, tmux: Tmux) -> list[tuple[str, str]]:
    """What a person would want to see when a test has failed: (title, text)."""
    found = [(f"screen of {window.name}", window.screen()) for window in tmux.windows]
    for file in (home.zellij_log, home.daemon_log):
        if file.exists():
            lines = file.read_text(errors="replace").splitlines()
            found.append((file.name, "\n".join(lines[-LOG_LINES:])))
    return found
