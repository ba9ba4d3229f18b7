"""What may go wrong while Zellij lives: no permission, a killed daemon, a Zellij that is stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import ask, commands, wait_connected, wait_recorded
from tests.e2e.harness import Zellij
from zdriver.testing import Home, processes, until


@pytest.fixture
def project(home: Home) -> Path:
    folder = home.path / "project"
    folder.mkdir()
    return folder


def test_a_killed_daemon_is_back_within_five_seconds(home: Home, zellij: Zellij, project: Path) -> None:
    opened = zellij.start("lives", cwd=project)
    wait_connected(home, "lives")
    place = {"cwd": str(project), "zellij_session": "lives"}
    ask(home, "context.set_intent", text="survive", place=place)
    daemon = ask(home, "daemon.status")["pid"]
    os.kill(daemon, signal.SIGKILL)
    killed = time.monotonic()
    until(lambda: not processes.alive(daemon), what="the daemon to be gone")
    wait_connected(home, "lives", deadline=5.0 - (time.monotonic() - killed))
    assert ask(home, "daemon.status")["pid"] != daemon
    assert ask(home, "context.intent", place=place)["text"] == "survive"
    opened.action("new-pane")
    opened.wait_panes(2)
    wait_recorded(home, "lives", lambda panes: len(panes) == 2)
    # none of the old daemon's is left
    until(
        lambda: len([pid for pid in home.running() if "pipe" in processes.argv(pid)]) == 2, what="two pipes"
    )


def test_a_daemon_that_begins_anew_still_finds_the_session_that_lives_on(
    home: Home, zellij: Zellij, project: Path
) -> None:
    """Window closed, daemon killed: who opens Zellij first may be met before the old session is."""
    first = zellij.start("lives", cwd=project)
    wait_connected(home, "lives")
    first.line("tail -f /dev/null")
    first.wait_running("tail", "-f", "/dev/null")
    server = first.server_pid()
    first.close_window()
    daemon = ask(home, "daemon.status")["pid"]
    os.kill(daemon, signal.SIGKILL)
    zellij.window(cwd=project).wait_for("tail -f /dev/null")
    until(lambda: zellij.sessions() == ["lives"], what="the blank session to end")
    assert first.server_pid() == server


def test_a_session_that_cannot_be_asked_is_named(home: Home, zellij: Zellij, project: Path) -> None:
    """Whether somebody is attached to it is not known: nobody is taken there, and it is not forgotten."""
    program = Path(sys.executable).with_name("zdriver")
    own = home.path / "own-zdriver"
    own.symlink_to(program)
    config = home.config.read_text()
    home.config.write_text(config.replace(str(program), str(own)))
    first = zellij.start("mute one", cwd=project)
    wait_connected(home, "mute one")
    first.close_window()
    home.config.write_text(config)
    own.unlink()  # so its plugin cannot come back
    os.kill(ask(home, "daemon.status")["pid"], signal.SIGKILL)
    again = zellij.start("again", cwd=project)
    screen = again.window.wait_for("zellij attach 'mute one'")
    assert 'Zellij session "mute one" of this folder still runs' in screen
    assert sorted(zellij.sessions()) == ["again", "mute one"]


@pytest.mark.parametrize("left", ["", '"/other.wasm" {'])
def test_killed_while_zellij_wrote_what_was_granted(
    home: Home, zellij: Zellij, project: Path, left: str
) -> None:
    """Zellij empties its file of permissions before it writes it anew, for each banner, too."""
    file = home.permissions
    file.write_text(file.read_text() + '"/other.wasm" {\n    WebAccess\n}\n')
    first = zellij.start("first", cwd=project)
    wait_connected(home, "first")
    first.line("tail -f /dev/null")
    first.wait_running("tail", "-f", "/dev/null")
    wait_recorded(home, "first", lambda panes: commands(panes) == [["tail", "-f", "/dev/null"]])
    granted = file.read_text()
    assert "WebAccess" in granted
    file.write_text(left)
    with contextlib.closing(sqlite3.connect(home.database, isolation_level=None)) as busy:
        busy.execute("BEGIN IMMEDIATE")  # whoever opens Zellij again at once waits for no store
        first.kill_server()
        until(lambda: "is put back" in home.daemon_log.read_text(), what="the daemon to put it back")
        before = home.daemon_log.read_text().partition("is put back")[0]
    assert "its end is not noted" not in before
    assert "WebAccess" in file.read_text()
    second = zellij.start("second", cwd=project).welcomed()
    second.wait_running("tail", "-f", "/dev/null")
    assert "Allow?" not in second.screen()
    until(lambda: "WebAccess" in file.read_text(), what="the second Zellij to have written it")


def test_without_permission_nothing_else_breaks(home: Home, zellij: Zellij, project: Path) -> None:
    home.write_config(granted=False)
    home.permissions.unlink()
    opened = zellij.start("denied", cwd=project)
    opened.window.wait_for("Allow? (y/n)")
    opened.keys("n")
    opened.window.wait_for(lambda screen: "zdriver" not in screen)  # it takes the keys until it is gone
    opened.line("echo $((40+2))")
    opened.window.wait_for("42")
    opened.action("new-pane")
    opened.wait_panes(2)


@pytest.fixture
def stopped() -> Iterator[list[int]]:
    """Pids of stopped processes, to be woken at the end."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def test_a_stopped_zellij_does_not_stop_the_daemon(
    home: Home, zellij: Zellij, project: Path, stopped: list[int]
) -> None:
    stuck = zellij.start("stuck", cwd=project)
    wait_connected(home, "stuck")
    other = zellij.start("other", cwd=home.path)
    wait_connected(home, "other")
    server = stuck.server_pid()
    os.kill(server, signal.SIGSTOP)
    stopped.append(server)
    place = {"cwd": str(project), "zellij_session": "stuck"}
    for number in range(50):  # each would be pushed down to it
        ask(home, "context.set_intent", text=f"intent {number}", place=place)
    with pytest.raises(AssertionError, match=r"did not answer|does not answer"):
        ask(home, "snapshot.save", place=place)
    other.line("tail -f /dev/null")
    # `zellij action` would ask the stopped one, too, and wait: look at what is recorded only
    wait_recorded(home, "other", lambda panes: ["tail", "-f", "/dev/null"] in commands(panes))
    os.kill(server, signal.SIGCONT)
    stuck.line("tail -s 9 -f /dev/null")
    wait_recorded(
        home, "stuck", lambda panes: ["tail", "-s", "9", "-f", "/dev/null"] in commands(panes), deadline=60
    )
