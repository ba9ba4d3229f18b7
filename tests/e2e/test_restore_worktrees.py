"""Several worktrees at once: in two Zellij sessions, and in two tabs of one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.e2e.daemon import ask, commands, wait_connected, wait_recorded
from tests.e2e.harness import Opened, Zellij
from zdriver.testing import Home


@pytest.fixture
def worktrees(home: Home) -> tuple[Path, Path]:
    """A repository's main checkout and a second worktree."""
    trunk, feature = home.path / "trunk", home.path / "feature"

    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=trunk, env=home.env, check=True, capture_output=True)

    trunk.mkdir()
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    git("worktree", "add", "-q", str(feature))
    return trunk, feature


def with_work(home: Home, zellij: Zellij, session: str, cwd: Path, seconds: str) -> Opened:
    opened = zellij.start(session, cwd=cwd)
    wait_connected(home, session)
    opened.action("new-pane", "--direction", "down")
    opened.wait_panes(2)
    argv = ("tail", "-s", seconds, "-f", "/dev/null")
    opened.line(" ".join(argv))
    opened.wait_running(*argv)
    wait_recorded(home, session, lambda panes: list(argv) in commands(panes))
    return opened


def test_two_sessions_in_two_worktrees_do_not_mix(
    home: Home, zellij: Zellij, worktrees: tuple[Path, Path]
) -> None:
    trunk, feature = worktrees
    one = with_work(home, zellij, "one", trunk, "11")
    two = with_work(home, zellij, "two", feature, "12")
    one.kill_server()
    two.kill_server()
    back = zellij.start(cwd=feature).welcomed()
    back.wait_running("tail", "-s", "12", "-f", "/dev/null")
    other = zellij.start(cwd=trunk).welcomed()
    other.wait_running("tail", "-s", "11", "-f", "/dev/null")
    assert [pane.cwd for pane in back.wait_panes(2)] == [str(feature)] * 2
    assert [pane.cwd for pane in other.wait_panes(2)] == [str(trunk)] * 2


def test_two_tabs_in_two_worktrees_keep_their_intents_apart(
    home: Home, zellij: Zellij, worktrees: tuple[Path, Path]
) -> None:
    trunk, feature = worktrees
    opened = zellij.start("both", cwd=trunk)
    wait_connected(home, "both")
    opened.window.wait_for("trunk $")  # what is typed before is on the screen twice, and not done yet
    opened.line("zdriver intent keep the trunk green")
    opened.window.wait_for(lambda screen: screen.count("keep the trunk green") > 1)
    opened.action("new-tab", "--name", "feature", "--cwd", str(feature))
    opened.wait_panes(2)
    opened.window.wait_for("feature $")
    opened.line("zdriver intent add the feature")
    opened.window.wait_for(lambda screen: screen.count("add the feature") > 1)
    shells: list[tuple[str, list[str]]] = [(str(trunk), []), (str(feature), [])]
    wait_recorded(home, "both", lambda panes: [(p["cwd"], p.get("command", [])) for p in panes] == shells)
    check_intents(home, "both", trunk, feature)
    opened.kill_server()
    again = zellij.start("again", cwd=trunk).welcomed()
    assert [pane.cwd for pane in again.wait_panes(2)] == [str(trunk), str(feature)]
    check_intents(home, "again", trunk, feature)


def check_intents(home: Home, session: str, trunk: Path, feature: Path) -> None:
    for folder, text in ((trunk, "keep the trunk green"), (feature, "add the feature")):
        place = {"cwd": str(folder), "zellij_session": session}
        status = ask(home, "context.status", place=place)
        assert (status["root"], status["intent"]) == (str(folder), text)
        intent = ask(home, "context.intent", place=place)
        assert intent["context"]["zellij_session"] == session
