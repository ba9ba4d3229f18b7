"""Which tab a worktree has, and what is said when none can be made."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from zdriver.context.terminal import Applied, AppliedTab
from zdriver.core.errors import InvalidInput, NotFound, Unavailable
from zdriver.daemon.live import LiveSession
from zdriver.daemon.tabs import Tabs
from zdriver.worktrees.standing import Standing
from zdriver.zellij.messages import Error, as_error


class Session:
    """A Zellij session as far as tabs are looked for in it; `asked` keeps what its plugin heard."""

    def __init__(self, panes: list[tuple[int, int, bool, str]], *, active: int, home: Path) -> None:
        """panes  (terminal id, tab, focused, folder)"""
        tabs = sorted({tab for _, tab, _, _ in panes} | {active})
        self.server = SimpleNamespace(env={"HOME": str(home), "ZELLIJ_CONFIG_DIR": str(home)})
        self.capture = SimpleNamespace(
            state=SimpleNamespace(
                tabs=[
                    SimpleNamespace(position=at, name=f"Tab #{at + 1}", active=at == active) for at in tabs
                ],
                panes=[
                    SimpleNamespace(id=id_, tab=tab, focused=focused, is_plugin=False)
                    for id_, tab, focused, _ in panes
                ],
                cwds={},
            ),
            processes={id_: SimpleNamespace(cwd=cwd) for id_, _, _, cwd in panes},
        )
        self.asked: list[tuple[str, Any]] = []
        self.applied = Applied(tabs=(AppliedTab(tab=0, tab_id=7, position=4),))

    exclusive = staticmethod(contextlib.nullcontext)

    def request(self, method: str, params: Any, kind: type, *, timeout: float) -> object:
        self.asked.append((method, params))
        return self.applied if method == "apply" else kind()

    def settle(self, ready: Callable[[], bool], *, timeout: float) -> bool:
        return ready()

    def status_due(self) -> None: ...

    @property
    def live(self) -> LiveSession:
        return cast(LiveSession, self)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "feat-x" / "src").mkdir(parents=True)
    return tmp_path / "feat-x"


def tabs(tree: Path, layout: str = "zdriver-agent") -> Tabs:
    """Where only `tree` is a worktree."""

    def root_of(folder: str) -> str:
        return str(tree) if Path(folder).is_relative_to(tree) else folder

    def standing(root: str) -> Standing | None:
        return Standing(name="feat-x", type="feat") if root == str(tree) else None

    return Tabs(root_of, standing, lambda _type: layout)


def test_the_tab_that_is_shown_then_the_pane_with_the_focus(tree: Path) -> None:
    here, there = str(tree / "src"), str(tree.parent)
    panes = [(1, 0, True, here), (2, 1, False, here), (3, 1, True, here), (4, 2, True, there)]
    for active, wanted in ((0, (1, 0)), (1, (3, 1)), (2, (1, 0))):
        session = Session(panes, active=active, home=tree)
        opened = tabs(tree).open(session.live, str(tree))
        assert session.asked == [("focus", {"pane": wanted[0]})]
        assert (opened.made, opened.position, opened.tab) == (False, wanted[1], f"Tab #{wanted[1] + 1}")


def test_a_folder_above_or_a_name_alike_is_another_place(tree: Path) -> None:
    panes = [(1, 0, True, str(tree.parent)), (2, 0, False, f"{tree}-2")]
    session = Session(panes, active=0, home=tree)
    opened = tabs(tree).open(session.live, str(tree), line="make\n")
    assert (opened.made, opened.position, opened.tab) == (True, 4, "feat-x")
    ((method, params),) = session.asked
    assert (method, params["mode"]) == ("apply", "one_tab")
    assert params["writes"] == [{"tab": 0, "pane": 0, "text": "make\n"}]
    assert str(tree) in params["kdl"]


def test_a_tab_bar_has_room_for_the_name(tree: Path) -> None:
    session = Session([], active=0, home=tree)
    opened = tabs(tree).open(session.live, str(tree), "feat-" + "long" * 40)
    assert opened.tab == "feat-" + "long" * 6 + "lo…"
    assert opened.tab in session.asked[0][1]["kdl"]


def test_what_cannot_be_opened_is_said_and_nothing_is_asked_of_zellij(tree: Path) -> None:
    session = Session([], active=0, home=tree)
    with pytest.raises(NotFound, match="is not there"):
        tabs(tree).open(session.live, str(tree / "gone"), "gone")
    with pytest.raises(InvalidInput, match="in no worktree"):
        tabs(tree).open(session.live, str(tree.parent))
    with pytest.raises(NotFound, match="no layout 'mine'"):
        tabs(tree, "mine").open(session.live, str(tree))
    broken = tree / "mine.kdl"
    broken.write_text("layout {")
    with pytest.raises(InvalidInput, match="the layout is not KDL"):
        tabs(tree, str(broken)).open(session.live, str(tree))
    assert session.asked == []


def test_a_tab_that_did_not_come_is_said(tree: Path) -> None:
    session = Session([], active=0, home=tree)
    session.applied = Applied()
    with pytest.raises(Unavailable, match="did not open the tab"):
        tabs(tree).open(session.live, str(tree))


@pytest.mark.parametrize(
    ("code", "message"), [(-32601, "there is no method focus"), (-32602, "unknown variant `one_tab`")]
)
def test_an_older_plugin_is_recognised(code: int, message: str) -> None:
    assert "open Zellij again" in as_error(Error(code=code, message=message)).hint
    assert as_error(Error(code=-32602, message="Zellij does not take this layout")).hint == ""
