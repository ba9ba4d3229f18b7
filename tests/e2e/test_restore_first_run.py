"""A Zellij that has just been installed: tips, release notes, and permissions not given yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import commands, wait_connected, wait_recorded
from tests.e2e.harness import Cli, Opened, Zellij
from zdriver.testing import Home, until

TAIL = ["tail", "-f", "/dev/null"]


@pytest.fixture
def home() -> Iterator[Home]:
    """Nothing of Zellij's or zdriver's in it."""
    with Home() as made:
        yield made


@pytest.fixture
def project(home: Home) -> Path:
    folder = home.path / "project"
    folder.mkdir()
    return folder


def work_and_kill(home: Home, opened: Opened) -> None:
    wait_connected(home, opened.name)
    opened.action("new-pane", "--direction", "right")
    opened.wait_panes(2)
    opened.line(" ".join(TAIL))
    opened.wait_running(*TAIL)
    wait_recorded(home, opened.name, lambda panes: commands(panes) == [[], TAIL])
    opened.kill_server()


def test_set_up_before_zellij_was_ever_opened(
    home: Home, zellij: Zellij, zdriver: Cli, project: Path
) -> None:
    done = zdriver("setup", "zellij", "--yes")
    assert done.returncode == 0, done.stderr
    opened = zellij.start("first", cwd=project)
    wait_connected(home, "first")
    until(lambda: "zellij:about" in opened.dump_layout(), what="the tip or the release notes")
    opened.keys("Escape")
    until(lambda: "zellij:about" not in opened.dump_layout(), what="the tip to go", shows=opened.screen)
    opened.window.wait_for("project $")
    work_and_kill(home, opened)
    again = zellij.start("second", cwd=project).welcomed()  # a tip is in front again
    assert "Enter restore" not in again.screen()
    again.wait_running(*TAIL)


def test_permissions_given_by_pressing_y(home: Home, zellij: Zellij, project: Path) -> None:
    home.write_config(granted=False)
    opened = zellij.start("first", cwd=project)
    opened.window.wait_for("Allow? (y/n)")
    opened.keys("y")
    opened.window.wait_for(lambda screen: "Allow? (y/n)" not in screen)
    work_and_kill(home, opened)
    again = zellij.start("second", cwd=project).welcomed()
    again.wait_running(*TAIL)
