"""The story: work, a sudden end, and everything back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from zdriver.core.errors import Unavailable, ZdriverError
from zdriver.demo.compare import Difference, Pair, additional, compare
from zdriver.demo.stage import PATIENCE, ROWS, Stage
from zdriver.testing import PaneFact, TimedOut, until

INTENT = "Refactor database layer"
MILESTONES = ("Extracted models", "Repository tests pass")
LOG = ("tail", "-f", "../build.log")  # Zellij opens a pane in the folder of the one in focus
LONG = ("sleep", "1000")
#: The tab that is in front when it happens.
FRONT = "code"


#: Seconds after which what is not kept, or not back, does not come.
BACK_WITHIN = 15.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    pairs: tuple[Pair, ...]
    differences: tuple[Difference, ...]  #: empty: all is back
    server_before: int
    server_after: int


class Story:
    """Plays it on a stage; `say` gets every line that is told."""

    def __init__(
        self, stage: Stage, say: Callable[[str], None], *, plugin: bool = True, keep_database: bool = True
    ) -> None:
        self.stage = stage
        self.say = say
        self.plugin = plugin
        self.keep_database = keep_database
        self.editor = (self._editor(), "models.py")
        self._step = 0

    def _editor(self) -> str:
        for name in ("vim", "nvim", "vi", "nano", "less"):
            if shutil.which(name, path=self.stage.home.env["PATH"]):
                return name
        raise Unavailable("no editor is on PATH", hint="install vim, or nano, then try again")

    def play(self) -> Outcome:
        self._tell(
            "A throw-away home", "a new home, a small git project in it, and zdriver in Zellij's config"
        )
        self.stage.make_project()
        self.stage.home.write_config(load=self.plugin)
        self._open()
        self._work()
        before = self._look()
        server = self._kill()
        self._reopen()
        return self._compare(before, server)

    # -- before --------------------------------------------------------------------------------

    def _open(self) -> None:
        self._tell("Open Zellij", "in ~/shop, in a terminal of its own")
        self.stage.open()
        self.stage.shell_ready("")
        self.stage.action("rename-tab", FRONT)
        self.stage.action("rename-pane", "work")
        self.stage.shell_ready("work", tab=FRONT)

    def _work(self) -> None:
        stage = self.stage
        self._tell("Say what you are doing", f'zdriver intent "{INTENT}", and two milestones')
        stage.type(f'zdriver intent "{INTENT}"')
        stage.said("✓ intent")
        for text in MILESTONES:
            stage.type(f'zdriver milestone "{text}"')
            stage.said(text + "  ")
        self._tell(
            "Arrange some panes", "two tabs; an editor, a log that is followed, a long command, two shells"
        )
        stage.split("editor", "--direction", "right")
        stage.type("cd src")
        self._cwd_of("editor", str(stage.project / "src"))
        stage.type(" ".join(self.editor))
        stage.running(*self.editor)
        stage.split("log", "--direction", "down")
        stage.type(" ".join(LOG))
        stage.running(*LOG)
        stage.tab("jobs", "nightly")
        stage.type(" ".join(LONG))
        stage.running(*LONG)
        stage.split("scratch", "--direction", "down")
        stage.type("cd src")
        self._cwd_of("scratch", str(stage.project / "src"))
        stage.action("go-to-tab-name", FRONT)

    def _cwd_of(self, name: str, folder: str) -> None:
        until(
            lambda: any(pane.name == name and pane.cwd == folder for pane in self.stage.panes()),
            what=f"pane {name} to be in {folder}",
            deadline=PATIENCE,
        )

    def _look(self) -> list[PaneFact]:
        before = self.stage.panes()
        self._tell("Wait until zdriver has seen it", "no key, no save: snapshots are taken as things change")
        try:
            until(
                lambda: self._captured(before), what="a snapshot of all this", deadline=BACK_WITHIN, every=0.2
            )
        except TimedOut:
            self.say("  no snapshot has all of it; going on, to see what comes back")
        self._show("before")
        return before

    def _captured(self, before: Sequence[PaneFact]) -> bool:
        """Whether the newest snapshot has every pane: its tab, name, folder, command and focus."""
        try:
            shown = json.loads(self.stage.run("zdriver", "snapshot", "show", "--json"))
        except ZdriverError:
            return False
        tabs = shown["data"]["layout"]["tabs"]
        kept = sorted((tab["name"], *pane) for tab in tabs for pane in _panes_in(tab))
        return kept == sorted(
            (pane.tab, pane.name, pane.cwd, _as_kept(pane.argv), pane.focused) for pane in before
        )

    # -- the end, and after --------------------------------------------------------------------

    def _kill(self) -> int:
        server = self.stage.kill()
        self._tell("Disaster", f"kill -9 {server}: the Zellij server is gone, and every program in it")
        if not self.keep_database:
            self.say("  and, as asked for, zdriver's database is deleted")
            self._lose_database()
        return server

    def _lose_database(self) -> None:
        home = self.stage.home
        home.stop()  # the daemon too: it would hold the deleted file open
        for file in home.database.parent.glob(home.database.name + "*"):
            file.unlink()

    def _reopen(self) -> None:
        self._tell("Open Zellij again", "just `zellij`, in the same folder; nothing else is typed")
        self.stage.open()

    def _compare(self, before: list[PaneFact], server: int) -> Outcome:
        def now() -> list[Difference]:
            after = self.stage.panes()
            pairs = compare(before, after)
            return [gone for pair in pairs for gone in pair.differences] + additional(before, after)

        with suppress(TimedOut):
            # It goes after a while; what is asked of a busy Zellij may take longer.
            until(lambda: INTENT in self.stage.screen(), what="the banner", deadline=BACK_WITHIN)
            until(lambda: not now(), what="all panes as they were", deadline=BACK_WITHIN)
        self._show("after")
        differences = now()
        again = self.stage.session.server_pid() if self.stage.session else 0
        if again == server:
            differences.append(
                Difference(pane="the server", what="pid", before=str(server), after="the same")
            )
        differences += self._forgotten()
        return Outcome(
            pairs=tuple(compare(before, self.stage.panes())),
            differences=tuple(differences),
            server_before=server,
            server_after=again,
        )

    def _forgotten(self) -> list[Difference]:
        """The intent and the milestones, asked for in the project."""
        told = [
            json.loads(self.stage.run("zdriver", *words, "--json"))["data"]
            for words in (("intent",), ("milestone",))
        ]
        found = ({told[0]["text"]} if told[0] else set()) | {entry["text"] for entry in told[1]}
        return [
            Difference(pane="the context", what=repr(text), before="known", after="forgotten")
            for text in (INTENT, *MILESTONES)
            if text not in found
        ]

    # -- telling -------------------------------------------------------------------------------

    def _tell(self, title: str, words: str) -> None:
        self._step += 1
        self.say(f"\n{self._step}. {title}: {words}")

    def _show(self, when: str) -> None:
        lines = self.stage.screen().split("\n")[:ROWS]
        self.say(f"  ┌─ the screen {when}")
        for line in lines:
            self.say(f"  │ {line}")
        self.say("  └─")


def _as_kept(argv: tuple[str, ...]) -> tuple[str, ...]:
    """An idle shell is kept as no command."""
    idle = len(argv) == 1 and argv[0].rsplit("/", 1)[-1] in ("bash", "zsh", "fish", "sh")
    return () if idle else argv


def _panes_in(node: dict[str, Any]) -> list[tuple[str, str, tuple[str, ...], bool]]:
    """(name, cwd, command, focus) of every terminal pane of a tab in a snapshot's JSON."""
    if node.get("type") == "pane":
        kept = (
            node.get("name", ""),
            node.get("cwd", ""),
            tuple(node.get("command", ())),
            node.get("focus", False),
        )
        return [] if "plugin" in node else [kept]
    children = [*node.get("tiled", ()), *node.get("children", ())]
    return [pane for child in children for pane in _panes_in(child)]
