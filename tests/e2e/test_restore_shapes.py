"""What panes look like comes back: floating, stacked, tabs, sizes, bars, a layout of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.daemon import wait_connected, wait_recorded
from tests.e2e.harness import Zellij
from zdriver.testing import Home, PaneFact, until

OWN_LAYOUT = """
layout {
    default_tab_template {
        children
        pane size=1 borderless=true {
            plugin location="compact-bar"
        }
    }
    tab name="code"
}
"""

STACKED = """
layout {
    tab name="stack" {
        pane size="40%" name="left"
        pane stacked=true {
            pane name="a"
            pane name="b" expanded=true
            pane name="c"
        }
    }
}
"""


@pytest.fixture
def project(home: Home) -> Path:
    folder = home.path / "project"
    folder.mkdir()
    return folder


Seen = tuple[str, str, bool, str]


def seen(pane: PaneFact) -> Seen:
    return (pane.tab, pane.name, pane.floating, pane.cwd)


def wait_kept(home: Home, session: str, before: list[PaneFact]) -> None:
    """Wait until the newest snapshot has these panes, each with its name and folder."""
    wanted = [(pane.name, pane.cwd) for pane in before]
    wait_recorded(
        home, session, lambda panes: [(pane.get("name", ""), pane["cwd"]) for pane in panes] == wanted
    )


def check_same(before: list[PaneFact], after: list[PaneFact]) -> None:
    """Tab, name, layer and cwd exactly; place and size give or take a cell."""
    assert [seen(pane) for pane in after] == [seen(pane) for pane in before]
    for old, new in zip(before, after, strict=True):
        for one, other in ((old.x, new.x), (old.y, new.y), (old.columns, new.columns), (old.rows, new.rows)):
            assert abs(one - other) <= 1, (old, new)


def test_tabs_splits_and_floating_panes(home: Home, zellij: Zellij, project: Path) -> None:
    (project / "sub dir").mkdir()
    opened = zellij.start("shapes", cwd=project)
    wait_connected(home, "shapes")
    opened.action("new-pane", "--direction", "right")
    opened.wait_panes(2)
    opened.action("rename-pane", 'a "quoted" name')
    opened.action("new-pane", "--direction", "down", "--cwd", str(project / "sub dir"))
    opened.wait_panes(3)
    opened.action("new-tab", "--name", "second tab")
    opened.wait_panes(4)
    geometry = ("--x", "10", "--y", "5", "--width", "60", "--height", "12")
    opened.action("new-pane", "--floating", *geometry)
    opened.wait_panes(5)
    opened.action("rename-pane", "above")
    before = opened.wait_panes(5, lambda panes: panes[-1].name == "above")
    wait_kept(home, "shapes", before)
    opened.kill_server()
    again = zellij.start(cwd=project).welcomed()
    check_same(before, again.wait_panes(5))
    until(lambda: again.active_tab() == "second tab", what="its tab in front", shows=again.screen)


def test_stacked_panes(home: Home, zellij: Zellij, project: Path) -> None:
    layout = project / "stack.kdl"
    layout.write_text(STACKED)
    opened = zellij.start("stacked", cwd=project, layout=layout)
    before = opened.wait_panes(4)
    wait_kept(home, "stacked", before)
    opened.kill_server()
    again = zellij.start(cwd=project).welcomed()
    check_same(before, again.wait_panes(4))


def test_a_stack_made_by_key_is_open_where_it_was(home: Home, zellij: Zellij, project: Path) -> None:
    """Zellij tells of its folded panes as if they were suppressed."""
    (project / "two").mkdir()
    opened = zellij.start("stacked", cwd=project)
    wait_connected(home, "stacked")
    opened.keys("C-p", "s")
    opened.wait_panes(2)
    opened.line("cd two")
    folders = [str(project), str(project / "two")]
    wait_recorded(
        home,
        "stacked",
        lambda panes: (
            [pane["cwd"] for pane in panes] == folders
            and [(pane.get("focus"), pane.get("expanded")) for pane in panes] == [(None, None), (True, True)]
        ),
    )
    before = opened.panes()
    opened.kill_server()
    again = zellij.start(cwd=project).welcomed()
    check_same(before, again.wait_panes(2))


def test_a_layout_of_the_users_own_keeps_its_bar(home: Home, zellij: Zellij, project: Path) -> None:
    layouts = home.config.parent / "layouts"
    layouts.mkdir()
    (layouts / "mine.kdl").write_text(OWN_LAYOUT)
    home.write_config('default_layout "mine"')
    opened = zellij.start("own", cwd=project)
    wait_connected(home, "own")
    opened.action("new-pane", "--direction", "right")
    before = opened.wait_panes(2)
    wait_kept(home, "own", before)
    opened.kill_server()
    again = zellij.start(cwd=project).welcomed()
    check_same(before, again.wait_panes(2))
    assert again.dump_layout().count("compact-bar") >= 1
    again.action("new-tab", "--name", "later")
    again.wait_panes(3)
    again.window.wait_for("later")  # the bar is in tabs opened later, too
    assert "Tab #" not in again.screen()
