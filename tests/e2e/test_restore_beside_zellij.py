"""Peace with Zellij's own resurrection: no pane twice, and the newer of the two wins."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.daemon import wait_connected, wait_recorded
from tests.e2e.harness import Opened, Zellij
from zdriver.testing import Home, until


@pytest.fixture
def project(home: Home) -> Path:
    folder = home.path / "project"
    folder.mkdir()
    return folder


def serialized(home: Home, session: str) -> Path:
    cache = Path(home.env["XDG_CACHE_HOME"])
    return cache / "zellij" / "contract_version_1" / "session_info" / session / "session-layout.kdl"


def session_that_zellij_keeps(home: Home, zellij: Zellij, project: Path) -> Opened:
    """Two panes, recorded by zdriver and just serialized by Zellij: next time in 10 s."""
    home.write_config("serialization_interval 10")
    opened = zellij.start("kept", cwd=project)
    wait_connected(home, "kept")
    opened.action("new-pane", "--direction", "right")
    opened.wait_panes(2)
    opened.action("rename-pane", "one")
    wait_recorded(home, "kept", lambda panes: [pane.get("name") for pane in panes] == [None, "one"])
    file = serialized(home, "kept")
    until(
        lambda: file.exists() and 'name="one"' in file.read_text(),
        what="Zellij's own serialization",
        deadline=60,
    )
    return opened


def test_what_zellij_brings_back_is_not_made_twice(home: Home, zellij: Zellij, project: Path) -> None:
    session_that_zellij_keeps(home, zellij, project).kill_server()
    again = zellij.start(attach="kept", cwd=project)
    wait_connected(home, "kept")
    until(lambda: decisions(home, "kept") == 2, what="the second opening to be decided")
    assert [pane.name for pane in again.wait_panes(2)] == ["", "one"]


def test_a_newer_snapshot_is_offered_and_takes_the_place_of_zellijs_panes(
    home: Home, zellij: Zellij, project: Path
) -> None:
    (project / "later").mkdir()
    opened = session_that_zellij_keeps(home, zellij, project)
    file = serialized(home, "kept")
    older, times = file.read_bytes(), (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    opened.line("cd later")
    wait_recorded(home, "kept", lambda panes: panes[-1]["cwd"] == str(project / "later"))
    opened.kill_server()
    file.write_bytes(older)  # where this took longer than 10 s, Zellij has the newer one, too
    os.utime(file, ns=times)
    again = zellij.start(attach="kept", cwd=project)
    again.window.wait_for("Enter restore")
    assert [pane.cwd for pane in again.wait_panes(2)] == [str(project)] * 2
    # Whoever takes it late finds the session saved anew: it still is one that Zellij brought back.
    until(lambda: file.stat().st_mtime_ns > times[1], what="Zellij to save it again")
    again.take_offer()
    until(
        lambda: [pane.cwd for pane in again.wait_panes(2)] == [str(project), str(project / "later")],
        what="the newer panes in place of the older ones",
        shows=again.screen,
    )


def decisions(home: Home, session: str) -> int:
    """How many openings of a Zellij session the daemon has decided about."""
    return home.daemon_log.read_text().count(f"{session} opened in")
