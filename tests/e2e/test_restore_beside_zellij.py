"""Peace with Zellij's own resurrection: no pane twice, and the newer of the two wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.daemon import ask, wait_connected, wait_recorded
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
    """Two panes, serialized by Zellij and recorded by zdriver."""
    home.write_config("serialization_interval 1")
    opened = zellij.start("kept", cwd=project)
    wait_connected(home, "kept")
    opened.action("new-pane", "--direction", "right")
    opened.wait_panes(2)
    opened.action("rename-pane", "one")
    wait_recorded(home, "kept", lambda panes: [p.get("name") for p in panes] == [None, "one"])
    file = serialized(home, "kept")
    until(
        lambda: file.exists() and 'name="one"' in file.read_text(),
        what="Zellij's own serialization",
        deadline=60,
    )
    return opened


def test_attach_of_a_session_that_zellij_resurrects(home: Home, zellij: Zellij, project: Path) -> None:
    session_that_zellij_keeps(home, zellij, project).kill_server()
    again = zellij.start(attach="kept", cwd=project)
    wait_connected(home, "kept")
    panes = again.wait_panes(2)
    assert [pane.name for pane in panes] == ["", "one"]
    status = ask(home, "restore.plan", place={"cwd": str(project), "zellij_session": "kept"}, generation=1)
    assert status["generation"] == 1
    assert len(again.panes()) == 2  # nobody made them twice
