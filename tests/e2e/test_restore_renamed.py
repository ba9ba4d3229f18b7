"""A Zellij session gets another name while it lives: all that is known of it goes along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.daemon import ask, commands, wait_connected, wait_recorded
from tests.e2e.harness import Cli, Opened, Zellij
from zdriver.testing import Home, until

TAIL = ["tail", "-f", "/dev/null"]


@pytest.fixture
def project(home: Home) -> Path:
    folder = home.path / "project"
    folder.mkdir()
    return folder


def place(project: Path, session: str) -> dict[str, str]:
    return {"cwd": str(project), "zellij_session": session}


def renamed(home: Home, zellij: Zellij, project: Path) -> Opened:
    """`before`, with an intent and a recorded command, is called `after`."""
    opened = zellij.start("before", cwd=project)
    wait_connected(home, "before")
    ask(home, "context.set_intent", text="name things", place=place(project, "before"))
    opened.line(" ".join(TAIL))
    opened.wait_running(*TAIL)
    wait_recorded(home, "before", lambda panes: commands(panes) == [TAIL])
    opened.rename("after")
    wait_connected(home, "after")
    return opened


def test_a_renamed_session_keeps_its_history(home: Home, zellij: Zellij, zdriver: Cli, project: Path) -> None:
    opened = renamed(home, zellij, project)
    for name in ("after", "before"):  # a shell that was there before still has the old one
        intent = ask(home, "context.intent", place=place(project, name))
        assert (intent["text"], intent["context"]["zellij_session"]) == ("name things", "after")
    until(lambda: ask(home, "snapshot.list", zellij_session="after"), what="the generations to go along")
    assert not ask(home, "snapshot.list", zellij_session="before")
    opened.action("new-pane")
    opened.wait_panes(2)
    wait_recorded(home, "after", lambda panes: commands(panes) == [TAIL, []])
    inside = zdriver("doctor", "--json", env={"ZELLIJ": "0", "ZELLIJ_SESSION_NAME": "before"})
    checks = {each["name"]: each for each in json.loads(inside.stdout)["data"]["checks"]}
    assert checks["this session"]["state"] == "ok", checks["this session"]


def test_another_session_of_its_folder_does_not_take_the_old_name_for_a_closed_one(
    home: Home, zellij: Zellij, project: Path
) -> None:
    renamed(home, zellij, project)
    other = zellij.start("other", cwd=project)
    wait_connected(home, "other")
    until(lambda: "other opened in" in home.daemon_log.read_text(), what="its opening to be decided")
    assert "other opened in" in home.daemon_log.read_text()
    assert "nothing (nothing was recorded here)" in home.daemon_log.read_text().splitlines()[-1]
    assert len(other.panes()) == 1


def test_a_renamed_session_comes_back_by_itself(home: Home, zellij: Zellij, project: Path) -> None:
    renamed(home, zellij, project).kill_server()
    again = zellij.start(cwd=project).welcomed()
    again.wait_running(*TAIL)
    again.window.wait_for("Welcome back: name things")


def test_a_daemon_that_begins_anew_finds_it_under_its_new_name(
    home: Home, zellij: Zellij, zdriver: Cli, project: Path
) -> None:
    opened = renamed(home, zellij, project)
    assert zdriver("daemon", "stop").returncode == 0
    opened.rename("last")
    assert zdriver("daemon", "start").returncode == 0
    opened.keys("M-m")  # a stopped daemon is met again by a key
    opened.window.wait_for("intent: what this is for")
    opened.keys("Escape")
    wait_connected(home, "last")
    until(lambda: ask(home, "snapshot.list", zellij_session="last"), what="the generations to go along")
    intent = ask(home, "context.intent", place=place(project, "last"))
    assert intent["text"] == "name things"
