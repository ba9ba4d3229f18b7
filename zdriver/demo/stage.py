"""The demo's stage: a small project in a throw-away home, and Zellij open in it."""

from __future__ import annotations

import shutil
import subprocess

from zdriver.core.errors import Unavailable, ZdriverError
from zdriver.testing import Home, PaneFact, Session, Terminal, TimedOut, until
from zdriver.testing.panes import sessions

ROWS, COLUMNS = 32, 110
#: Seconds that anything on the stage may take.
PATIENCE = 40.0

_MODELS = """\
class Order:
    def __init__(self, number: int, lines: list[str]) -> None:
        self.number = number
        self.lines = lines
"""


class Stage:
    """One home, and the Zellij that is open in it at the moment."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.project = home.path / "shop"
        self.session: Session | None = None
        self.terminal: Terminal | None = None

    def make_project(self) -> None:
        (self.project / "src").mkdir(parents=True)
        (self.project / "src" / "models.py").write_text(_MODELS)
        (self.project / "build.log").write_text("[12:00:01] compiling\n[12:00:07] 214 tests passed\n")
        # An editor that is killed leaves a swap file, and asks about it the next time.
        (self.home.path / ".vimrc").write_text("set noswapfile nobackup viminfo=\n")
        for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "A shop")):
            self.run("git", *words)

    def run(self, *argv: str) -> str:
        """A command in the project, about the open Zellij session; its output. Raises ZdriverError."""
        program = shutil.which(argv[0], path=self.home.env["PATH"])
        if program is None:
            raise Unavailable(f"{argv[0]} is not on PATH", hint=f"install {argv[0]}, then try again")
        named = {"ZELLIJ_SESSION_NAME": self.session.name} if self.session else {}
        done = subprocess.run(
            [program, *argv[1:]],
            env={**self.home.env, **named},
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            raise ZdriverError(f"{' '.join(argv)} failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    # -- Zellij --------------------------------------------------------------------------------

    def open(self) -> Session:
        """Type `zellij` in a new terminal window, in the project."""
        before = set(sessions(self.home))
        self.terminal = Terminal(
            [self.home.zellij], env=self.home.env, cwd=self.project, rows=ROWS, columns=COLUMNS
        )

        def started() -> Session | None:
            new = (Session(self.home, name) for name in sessions(self.home) if name not in before)
            return next((session for session in new if session.server_pid()), None)

        self.session = until(started, what="Zellij to start", deadline=PATIENCE, shows=self.screen)
        # Asked anything before its first client has come, a Zellij session stays dead: look first.
        self.terminal.wait_for(str.strip, deadline=PATIENCE)
        return self.session

    def kill(self) -> int:
        """SIGKILL to the Zellij server; its pid."""
        pid = self._session().kill_server()
        if self.terminal:
            self.terminal.wait_ended()
            self.terminal.close()
        return pid

    def screen(self) -> str:
        return self.terminal.screen() if self.terminal else ""

    def panes(self) -> list[PaneFact]:
        try:
            return self._session().panes()
        except (subprocess.SubprocessError, TimedOut):  # it is just starting, or ending
            return []

    def server_pid(self) -> int:
        return self._session().server_pid()

    def active_tab(self) -> str:
        return self._session().active_tab()

    def action(self, *words: str) -> None:
        self._session().action(*words)

    def type(self, line: str) -> None:
        """A line into the focused pane, as from the keyboard."""
        if self.terminal:
            self.terminal.write(f"{line}\r")

    def split(self, name: str, *where: str) -> None:
        """A new pane, named, whose shell is ready for a line."""
        self.action("new-pane", *where)
        self.shell_ready("")
        self.action("rename-pane", name)  # `new-pane --name` gives a title, which is no name
        self.shell_ready(name)

    def tab(self, name: str, pane: str) -> None:
        self.action("new-tab", "--name", name, "--cwd", str(self.project))
        self.shell_ready("", tab=name)
        self.action("rename-pane", pane)
        self.shell_ready(pane, tab=name)

    def shell_ready(self, name: str, tab: str = "") -> None:
        """Wait for an idle shell in the focused pane of this name that has shown its prompt."""
        cursor_at_prompt = " $"

        def ready() -> bool:
            found = any(
                pane.focused and pane.name == name and (not tab or pane.tab == tab) and len(pane.argv) == 1
                for pane in self.panes()
            )
            return found and cursor_at_prompt in self._session().ask("dump-screen")

        until(ready, what=f"the shell of pane {name or 'one'}", deadline=PATIENCE, shows=self.screen)

    def running(self, *argv: str) -> None:
        until(
            lambda: any(pane.argv == argv for pane in self.panes()),
            what=f"{' '.join(argv)} in a pane",
            deadline=PATIENCE,
            shows=self.screen,
        )

    def said(self, text: str) -> None:
        """Wait until the focused pane shows it."""
        until(
            lambda: text in self._session().ask("dump-screen"),
            what=f"{text!r} on the screen",
            deadline=PATIENCE,
            shows=self.screen,
        )

    def _session(self) -> Session:
        if self.session is None:
            raise TimedOut("Zellij is not open")
        return self.session

    def close(self) -> None:
        if self.terminal:
            self.terminal.close()
