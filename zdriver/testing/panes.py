"""What there is in a Zellij session: asked from Zellij and `/proc`, never from zdriver."""

from __future__ import annotations

import contextlib
import re
import subprocess
from pathlib import Path
from typing import Any

import ckdl  # type: ignore[import-untyped]  # it ships no types
import msgspec

from zdriver.testing import processes
from zdriver.testing.home import Home
from zdriver.testing.waiting import TimedOut, until

ANSWER = 5.0  #: seconds Zellij gets for one answer
PATIENCE = 20.0  #: seconds for an answer at all
#: Actions that, done twice, are done once; and those that make or close something.
_REPEATABLE = frozenset(
    ("rename-tab", "rename-tab-by-id", "rename-pane", "focus-pane-id", "go-to-tab", "go-to-tab-name")
)
_ONCE = frozenset(("new-pane", "new-tab", "close-pane", "close-tab"))

#: Zellij's own title of a pane that nobody named.
_UNNAMED = re.compile(r"Pane #\d+")


class PaneFact(msgspec.Struct, frozen=True, kw_only=True):
    """One terminal pane as it can be seen. Cells count from 0 at the top left."""

    id: int
    tab: str
    tab_position: int
    name: str  #: "" when nobody named it
    x: int
    y: int
    columns: int
    rows: int
    floating: bool
    focused: bool  #: the one of its tab
    held: bool  #: its command waits for Enter, or has ended
    pid: int  #: of what Zellij started in it, 0 when nothing runs
    cwd: str  #: of the process in its foreground
    argv: tuple[str, ...]  #: of the process in its foreground


class Session:
    """A Zellij session in `home`, by its name."""

    def __init__(self, home: Home, name: str) -> None:
        self.home = home
        self.name = name

    @property
    def socket(self) -> Path:
        return sockets(self.home) / self.name

    def server_pid(self) -> int:
        """0 when no server runs. (`zellij list-sessions` would harm a session that starts.)"""
        wanted = ("--server", str(self.socket))
        for pid in processes.pids():
            if processes.argv(pid)[1:3] == wanted and processes.alive(pid):
                return pid
        return 0

    def kill_server(self) -> int:
        """SIGKILL; returns the pid that was, when it is gone."""
        pid = self.server_pid()
        if not pid:
            raise AssertionError(f"no Zellij server of session {self.name} runs")
        processes.kill(pid)
        until(lambda: not processes.alive(pid), what=f"the Zellij server {pid} to end")
        return pid

    def action(self, *words: str, deadline: float = 30.0) -> str:
        """`zellij action …`; its output. Raises CalledProcessError and TimeoutExpired.

        A Zellij that is busy may not find its own session; nothing was done then, so it is asked again.
        And its client may never end, though all is done: it is started again where that does no harm;
        where it does, the caller sees by what is there whether it was done.
        """
        again, once = words[0] in _REPEATABLE, words[0] in _ONCE

        def done() -> subprocess.CompletedProcess[str] | None:
            try:
                found = self._act(words, ANSWER if again else PATIENCE if once else deadline)
            except subprocess.TimeoutExpired:
                if again:
                    return None
                if once:
                    return subprocess.CompletedProcess(words, 0, "", "")
                raise
            return None if found.returncode and "no active session" in found.stderr else found

        found = until(done, what=f"{self.name} to do {words[0]}", deadline=deadline)
        found.check_returncode()
        return found.stdout

    def _act(self, words: tuple[str, ...], timeout: float) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.home.zellij, "--session", self.name, "action", *words],
            env=self.home.env,
            cwd=self.home.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def ask(self, *words: str) -> str:
        """An `action` that only asks, and always says something.

        A busy Zellij gives up after 1 s and says nothing, never answers at all, or is not found by
        its client: asked again.
        """

        def answer() -> str:
            with contextlib.suppress(subprocess.TimeoutExpired, TimedOut):
                return self.action(*words, deadline=ANSWER)
            return ""

        return until(answer, what=f"an answer to {words[0]}", deadline=PATIENCE, every=0.1)

    def dump_layout(self) -> str:
        """Whole: a layout that was cut off is no KDL."""

        def answer() -> str:
            text = self.ask("dump-layout")
            with contextlib.suppress(ckdl.ParseError):
                ckdl.parse(text, version=1)
                return text
            return ""

        return until(answer, what="a whole layout", deadline=PATIENCE)

    def tabs(self) -> list[dict[str, Any]]:
        """Zellij's own words: position, name, active, tab_id …"""
        return self._listed("list-tabs")

    def clients(self) -> int:
        """Terminals attached to it, as Zellij counts them: below its headline, a line each."""
        return len(self.ask("list-clients").splitlines()) - 1

    def active_tab(self) -> str:
        return next((str(tab["name"]) for tab in self.tabs() if tab["active"]), "")

    def panes(self) -> list[PaneFact]:
        """The terminal panes, by tab and place."""
        listed = self._listed("list-panes")
        pids = self._pids()
        found = [
            _fact(pane, pids.get(pane["id"], 0))
            for pane in listed
            if not pane["is_plugin"]  # the folded panes of a stack are "suppressed"
        ]
        return sorted(found, key=lambda pane: (pane.tab_position, pane.floating, pane.y, pane.x))

    def _listed(self, what: str) -> list[dict[str, Any]]:
        """Zellij 0.45 sends an action's client away too early when another one leaves: ask again."""

        def answer() -> list[dict[str, Any]] | None:
            with contextlib.suppress(msgspec.DecodeError):
                found: list[dict[str, Any]] = msgspec.json.decode(self.ask(what, "--all", "--json"))
                return found
            return None

        return until(answer, what=f"a whole answer to {what}", deadline=PATIENCE)

    def _pids(self) -> dict[int, int]:
        """Pane id → what Zellij started in it: the server's children have it in their environment."""
        found: dict[int, int] = {}
        for pid in processes.children(self.server_pid()):
            number = processes.environ(pid).get("ZELLIJ_PANE_ID", "")
            if number.isdecimal():
                found[int(number)] = pid
        return found


def sockets(home: Home) -> Path:
    """The folder of Zellij's sockets (zellij-utils 0.45, `consts.rs`)."""
    return Path(home.env["XDG_RUNTIME_DIR"]) / "zellij" / "contract_version_1"


def sessions(home: Home) -> list[str]:
    """Names of the Zellij sessions that have a socket, without asking Zellij."""
    folder = sockets(home)
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


def _fact(pane: dict[str, Any], pid: int) -> PaneFact:
    front = processes.foreground(pid) if pid else 0
    title = str(pane["title"])
    return PaneFact(
        id=pane["id"],
        tab=pane["tab_name"],
        tab_position=pane["tab_position"],
        name="" if _UNNAMED.fullmatch(title) else title,
        x=pane["pane_x"],
        y=pane["pane_y"],
        columns=pane["pane_columns"],
        rows=pane["pane_rows"],
        floating=pane["is_floating"],
        focused=pane["is_focused"],
        held=pane["is_held"],
        pid=pid,
        cwd=processes.cwd(front) or processes.cwd(pid),  # the front one may just have ended
        argv=processes.argv(front),
    )
