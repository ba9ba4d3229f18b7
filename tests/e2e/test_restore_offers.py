"""Offered, listed, asked for by hand: what users choose themselves."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import ask, commands, terminals, wait_connected, wait_recorded
from tests.e2e.harness import Opened, Zellij
from zdriver.testing import Home, until

TAIL = ["tail", "-f", "/dev/null"]


@pytest.fixture
def project(home: Home) -> Path:
    folder = home.path / "project"
    folder.mkdir()
    return folder


def place(project: Path, session: str) -> dict[str, str]:
    return {"cwd": str(project), "zellij_session": session}


def asking(home: Home, mode: str = "ask") -> None:
    config = Path(home.env["XDG_CONFIG_HOME"]) / "zdriver" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[restore]\nmode = "{mode}"\n')


def closed_work(home: Home, zellij: Zellij, project: Path) -> int:
    """A session with two panes that was closed; its newest generation."""
    opened = zellij.start("before", cwd=project)
    wait_connected(home, "before")
    opened.action("new-pane", "--direction", "right")
    opened.wait_panes(2)
    opened.line(" ".join(TAIL))
    opened.wait_running(*TAIL)
    wait_recorded(home, "before", lambda panes: commands(panes) == [[], TAIL])
    opened.quit()
    newest: int = ask(home, "snapshot.list", zellij_session="before")[0]["generation"]
    return newest


def test_an_offer_changes_nothing_until_it_is_taken(home: Home, zellij: Zellij, project: Path) -> None:
    asking(home)
    closed_work(home, zellij, project)
    opened = zellij.start("after", cwd=project)
    opened.window.wait_for("Enter restore")
    assert len(opened.panes()) == 1
    opened.take_offer()
    opened.wait_running(*TAIL)
    assert len(opened.wait_panes(2)) == 2


def test_a_declined_offer_is_not_made_again(home: Home, zellij: Zellij, project: Path) -> None:
    asking(home)
    generation = closed_work(home, zellij, project)
    opened = zellij.start("after", cwd=project)
    opened.window.wait_for("Enter restore")
    opened.keys("d")
    opened.window.wait_for(lambda screen: "Enter restore" not in screen)
    until(lambda: dismissed(home) == [generation], what="the daemon to know")  # the banner goes first
    opened.quit()
    again = zellij.start("again", cwd=project)
    wait_connected(home, "again")
    until(lambda: "again opened" in home.daemon_log.read_text(), what="its opening to be decided")
    assert "Enter restore" not in again.screen()
    report = ask(home, "restore.apply", generation=generation, place=place(project, "again"))
    assert report["restored"] == 2  # by its number it can still be had


def dismissed(home: Home) -> list[int]:
    """The generations that were declined, from the store's file."""
    with sqlite3.connect(f"file:{home.database}?mode=ro", uri=True) as store:
        return [row[0] for row in store.execute("SELECT generation FROM dismissals")]


def test_switched_off_nothing_is_offered(home: Home, zellij: Zellij, project: Path) -> None:
    asking(home, "off")
    closed_work(home, zellij, project)
    opened = zellij.start("after", cwd=project)
    wait_connected(home, "after")
    until(lambda: "nothing (restore is off)" in home.daemon_log.read_text(), what="its opening to be decided")
    assert len(opened.panes()) == 1
    assert "zdriver" not in opened.screen()
    assert ask(home, "restore.apply", place=place(project, "after"))["restored"] == 2  # by hand


def beside_an_offer(home: Home, zellij: Zellij, project: Path) -> Opened:
    """A blank shell in which a key was pressed, which sent the offer away."""
    asking(home)
    closed_work(home, zellij, project)
    opened = zellij.start("after", cwd=project)
    opened.window.wait_for("Enter restore")
    opened.keys("x")
    opened.window.wait_for(lambda screen: "$ x" in screen and "Enter restore" not in screen)
    opened.keys("C-u")
    return opened


def test_a_blank_shell_does_not_take_the_place_of_what_is_offered(
    home: Home, zellij: Zellij, project: Path
) -> None:
    opened = beside_an_offer(home, zellij, project)
    other = zellij.start("other", cwd=home.path)
    other.line(" ".join(TAIL))
    wait_recorded(home, "other", lambda panes: commands(panes) == [TAIL])  # by now the first would be, too
    assert not ask(home, "snapshot.list", zellij_session="after")
    opened.kill_server()
    again = zellij.start("again", cwd=project)
    again.window.wait_for("2 panes from")


def test_what_was_closed_beside_an_offer_stays_closed(home: Home, zellij: Zellij, project: Path) -> None:
    opened = beside_an_offer(home, zellij, project)
    opened.action("new-pane")
    wait_recorded(home, "after", lambda panes: len(panes) == 2)
    opened.action("close-pane")
    wait_recorded(home, "after", lambda panes: len(panes) == 1)


def busy(home: Home, zellij: Zellij, project: Path) -> Opened:
    """A session in which somebody has begun to work: nothing is restored by itself."""
    asking(home)
    opened = zellij.start("busy", cwd=project)
    opened.window.wait_for("Enter restore")
    opened.keys("x")  # the first key sends the banner away, and still reaches the shell
    opened.window.wait_for(lambda screen: "$ x" in screen and "Enter restore" not in screen)
    opened.keys("C-u")
    opened.line("tail -s 7 -f /dev/null")
    opened.wait_running("tail", "-s", "7", "-f", "/dev/null")
    return opened


def test_by_hand_it_adds_tabs_and_closes_nothing(home: Home, zellij: Zellij, project: Path) -> None:
    closed_work(home, zellij, project)
    opened = busy(home, zellij, project)
    mine = opened.panes()[0]
    plan = ask(home, "restore.plan", place=place(project, "busy"))
    assert [pane["action"] for pane in plan["panes"]] == ["shell", "run"]
    report = ask(home, "restore.apply", place=place(project, "busy"))
    assert (report["restored"], report["failed"], report["generation"]) == (2, [], plan["generation"])
    panes = opened.wait_panes(3)
    assert (panes[0].id, panes[0].pid, panes[0].argv) == (mine.id, mine.pid, mine.argv)
    assert ask(home, "restore.apply", place=place(project, "busy"))["restored"] == 0
    assert len(opened.panes()) == 3


def test_replace_keeps_what_was_there_as_a_generation(home: Home, zellij: Zellij, project: Path) -> None:
    generation = closed_work(home, zellij, project)
    opened = busy(home, zellij, project)
    mine = opened.panes()[0].id
    report = ask(home, "restore.apply", generation=generation, place=place(project, "busy"), replace=True)
    assert (report["restored"], report["failed"]) == (2, [])
    # who asked in a pane of the session reads it here: that pane is gone
    opened.window.wait_for(f"what was open here before is snapshot {report['before']}")
    kept = terminals(ask(home, "snapshot.show", generation=report["before"])["layout"])
    assert commands(kept) == [["tail", "-s", "7", "-f", "/dev/null"]]
    panes = opened.wait_panes(2)
    assert mine not in [pane.id for pane in panes]
    saved: list[dict[str, Any]] = ask(home, "snapshot.list", zellij_session="busy")
    layouts = [ask(home, "snapshot.show", generation=each["generation"])["layout"] for each in saved]
    assert [["tail", "-s", "7", "-f", "/dev/null"]] in [commands(terminals(each)) for each in layouts]
    wait_recorded(home, "busy", lambda panes: commands(panes) == [[], TAIL])


def test_what_cannot_be_meant_is_said_and_changes_nothing(home: Home, zellij: Zellij, project: Path) -> None:
    opened = zellij.start("one", cwd=project)
    wait_connected(home, "one")
    opened.window.wait_for("project $")
    before = opened.wait_panes(1)
    for method, params, words in (
        ("restore.apply", {"place": place(project, "one")}, "nothing to restore"),
        ("restore.apply", {"place": place(project, "one"), "generation": 99}, "99"),
        ("restore.apply", {"place": place(project, "nobody")}, "no plugin is connected"),
        ("restore.apply", {"place": {"cwd": str(project)}}, "this is none"),
        ("restore.undo", {"place": place(project, "one")}, "nothing was restored"),
        ("snapshot.save", {"place": place(project, "nobody")}, "no plugin is connected"),
    ):
        with pytest.raises(AssertionError) as refused:
            ask(home, method, **params)
        assert words in str(refused.value)
    assert opened.panes() == before
