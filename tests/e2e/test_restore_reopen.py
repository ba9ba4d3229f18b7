"""Zellij goes down in every way that people know; they open it again, and all is back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import ask, commands, wait_connected, wait_recorded
from tests.e2e.harness import Opened, Zellij
from zdriver.testing import Home, processes, until


@pytest.fixture
def project(home: Home) -> Path:
    folder = home.path / "my project"
    folder.mkdir()
    return folder


def worked_in(home: Home, zellij: Zellij, project: Path, session: str = "first") -> Opened:
    """A session with two panes, one of which runs something, recorded."""
    opened = zellij.start(session, cwd=project)
    wait_connected(home, session)
    opened.action("new-pane", "--direction", "right")
    opened.wait_panes(2)
    opened.action("rename-pane", "worker")  # `--name` is only a first title, which Zellij does not keep
    opened.line("tail -f /dev/null")
    opened.wait_running("tail", "-f", "/dev/null")
    wait_recorded(
        home,
        session,
        lambda panes: (
            panes[-1].get("name") == "worker" and commands(panes) == [[], ["tail", "-f", "/dev/null"]]
        ),
    )
    return opened


def check_back(opened: Opened, project: Path) -> None:
    opened.wait_running("tail", "-f", "/dev/null")
    shell, worker = opened.wait_panes(2)
    assert (shell.cwd, shell.argv[0]) == (str(project), "/bin/bash")
    assert (worker.name, worker.cwd, worker.x > shell.x) == ("worker", str(project), True)


def test_closed_by_its_user_and_opened_under_another_name(home: Home, zellij: Zellij, project: Path) -> None:
    first = worked_in(home, zellij, project)
    ask(home, "context.set_intent", text="Refactor database layer", place=_place(project, "first"))
    first.quit()
    second = zellij.start("second", cwd=project).welcomed("Refactor database layer")
    check_back(second, project)
    intent = ask(home, "context.intent", place=_place(project, "second"))
    assert (intent["text"], intent["context"]["zellij_session"]) == ("Refactor database layer", "second")


def test_shells_that_take_long_to_start(home: Home, zellij: Zellij, project: Path) -> None:
    """Longer than a restore waits for its commands: they are read when the shells come to it."""
    worked_in(home, zellij, project).kill_server()
    gate = home.path / "gate"
    os.mkfifo(gate)
    with (home.path / ".bashrc").open("a") as startup:
        startup.write(f"read -r _ < {gate}\n")
    second = zellij.start("second", cwd=project).welcomed()
    assert "2 panes: 2 running, 0 waiting, 0 failed" in second.screen()
    gate.write_text("go on\n")
    check_back(second, project)


def test_killed_right_after_a_change_has_settled(home: Home, zellij: Zellij, project: Path) -> None:
    first = worked_in(home, zellij, project)
    server = first.kill_server()
    second = zellij.start(cwd=project).welcomed()
    check_back(second, project)
    assert second.server_pid() != server


@pytest.mark.parametrize("moment", ["restore (the newest", "panes of generation"])
def test_killed_again_while_it_comes_back(home: Home, zellij: Zellij, project: Path, moment: str) -> None:
    """In the middle of the restore, and just when it is done."""
    first = worked_in(home, zellij, project)
    ask(home, "context.set_intent", text="hold on", place=_place(project, "first"))
    first.kill_server()
    second = zellij.start("second", cwd=project)
    until(lambda: moment in home.daemon_log.read_text(), what=moment, every=0.002, shows=second.screen)
    second.kill_server()
    third = zellij.start("third", cwd=project).welcomed("hold on")
    check_back(third, project)
    assert ask(home, "context.intent", place=_place(project, "third"))["text"] == "hold on"


def test_a_closed_window_only_detached_so_the_client_goes_over(
    home: Home, zellij: Zellij, project: Path
) -> None:
    first = worked_in(home, zellij, project)
    server, panes = first.server_pid(), [pane.pid for pane in first.panes()]
    first.close_window()
    zellij.window(cwd=project).wait_for("tail -f /dev/null")
    until(lambda: zellij.sessions() == ["first"], what="the blank session to end")
    assert first.server_pid() == server
    assert [pane.pid for pane in first.panes()] == panes
    assert all(processes.alive(pid) for pid in panes)


def last_in(folder: Path) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda panes: bool(panes[-1]["cwd"] == str(folder))


def test_the_last_of_two_folders_wins(home: Home, zellij: Zellij, project: Path) -> None:
    """cwd changed, killed, restored, changed again, killed, restored."""
    for name in ("one", "two"):
        (project / name).mkdir()
    opened = worked_in(home, zellij, project)
    opened.keys("C-c")
    for name in ("one", "two"):
        opened.line(f"cd '{project / name}'")
        wait_recorded(home, opened.name, last_in(project / name))
        opened.kill_server()
        opened = zellij.start(cwd=project).welcomed()
        worker = opened.wait_panes(2)[1]
        assert worker.cwd == str(project / name)


def test_a_command_that_ends_leaves_its_shell(home: Home, zellij: Zellij, project: Path) -> None:
    worked_in(home, zellij, project).kill_server()
    again = zellij.start(cwd=project).welcomed()
    check_back(again, project)
    again.action("focus-pane-id", f"terminal_{again.panes()[1].id}")
    again.keys("C-c")
    until(lambda: again.panes()[1].argv[:1] == ("/bin/bash",), what="a shell", shows=again.screen)
    again.line("echo it $((40+2)) works")
    again.window.wait_for("it 42 works")


def test_a_line_typed_into_the_welcome_reaches_the_shell_whole(
    home: Home, zellij: Zellij, project: Path
) -> None:
    worked_in(home, zellij, project).kill_server()
    again = zellij.start(cwd=project).welcomed()
    again.keys("C-c")
    again.line("echo 'it is' $((40+2)) \"ducks\"")
    again.window.wait_for("it is 42 ducks")
    again.window.wait_for(lambda screen: "Welcome back" not in screen)
    again.line("echo and $((41+2))")
    again.window.wait_for("and 43")


def test_what_was_restored_can_be_taken_back(home: Home, zellij: Zellij, project: Path) -> None:
    worked_in(home, zellij, project).kill_server()
    again = zellij.start(cwd=project).welcomed()
    check_back(again, project)
    place = _place(project, again.name)
    undone = ask(home, "restore.undo", place=place, request="first")
    assert undone["closed"] == 1
    assert undone["kept"] == ["tab 1 · pane worker: tail runs in it"]
    (worker,) = again.wait_panes(1)
    assert worker.argv == ("tail", "-f", "/dev/null")
    again.keys("C-c")
    until(lambda: again.panes()[0].argv[:1] == ("/bin/bash",), what="an idle shell", shows=again.screen)
    assert ask(home, "restore.undo", place=place, request="first") == undone
    assert len(again.panes()) == 1, "the same request closes nothing more"
    assert ask(home, "restore.undo", place=place) == {"restore": undone["restore"], "closed": 1, "kept": []}
    (blank,) = again.wait_panes(1)
    assert blank.argv[0] == "/bin/bash"


def test_restoring_twice_changes_nothing(home: Home, zellij: Zellij, project: Path) -> None:
    worked_in(home, zellij, project).kill_server()
    again = zellij.start(cwd=project).welcomed()
    check_back(again, project)
    before = again.panes()
    generation = ask(home, "snapshot.list", zellij_session="first")[0]["generation"]
    report = ask(home, "restore.apply", generation=generation, place=_place(project, again.name))
    assert (report["restored"], {pane["action"] for pane in report["panes"]}) == (0, {"keep"})
    assert again.panes() == before


def _place(project: Path, session: str) -> dict[str, str]:
    return {"cwd": str(project), "zellij_session": session}
