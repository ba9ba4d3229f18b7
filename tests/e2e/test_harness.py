"""The harness itself: a plain Zellij, without zdriver, is seen as it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.harness import Zellij
from zdriver.testing import Home, processes, until


@pytest.fixture
def home() -> Iterator[Home]:
    """Zellij without the plugin."""
    with Home() as made:
        made.write_config(plugin=False)
        yield made


def test_panes_are_seen_as_zellij_and_proc_have_them(home: Home, zellij: Zellij) -> None:
    project = home.path / "my project"
    project.mkdir()
    opened = zellij.start("one", cwd=project)
    opened.wait_panes(1)
    opened.action("new-pane", "--direction", "right", "--name", "worker", "--", "sleep", "1000")
    opened.wait_running("sleep", "1000")
    opened.action("new-pane", "--floating", "--name", "above")
    shell, worker, above = opened.wait_panes(3)
    assert (shell.name, shell.cwd, shell.argv[0], shell.floating) == ("", str(project), "/bin/bash", False)
    assert (worker.name, worker.argv, worker.x > shell.x) == ("worker", ("sleep", "1000"), True)
    assert (above.name, above.floating, above.focused) == ("above", True, True)


def test_a_closed_window_only_detaches_and_a_killed_server_is_gone(home: Home, zellij: Zellij) -> None:
    opened = zellij.start(cwd=home.path)
    opened.wait_panes(1)
    server = opened.server_pid()
    opened.close_window()
    assert opened.server_pid() == server
    again = zellij.start(attach=opened.name)
    again.window.wait_for("Tab #1")
    assert again.kill_server() == server
    again.window.wait_ended()


def test_a_home_leaves_nothing_running(home: Home, zellij: Zellij) -> None:
    zellij.start("one", cwd=home.path).wait_panes(1)
    running = home.running()
    assert running
    home.stop()
    until(lambda: not any(processes.alive(pid) for pid in running), what="an empty home")
