"""Worktrees as tabs of a live Zellij session: the one that stands there, else a new one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from zdriver.context.terminal import Applied
from zdriver.core.errors import InvalidInput, NotFound, Unavailable
from zdriver.daemon.attaching import Opened
from zdriver.daemon.live import LiveSession
from zdriver.daemon.places import pane_cwd
from zdriver.worktrees.standing import Standing
from zdriver.zellij.tablayout import one_tab, read_layout

APPLY_TIMEOUT = 10.0  #: seconds for Zellij to make a tab
NAME_MAX = 32  #: characters of a tab's name: Zellij's tab bar breaks with one wider than the screen
SETTLE_TIMEOUT = 2.0  #: seconds for the new tab to show where it stands


class _Focused(msgspec.Struct, frozen=True):
    """The plugin's answer to `focus`."""


class Tabs:
    def __init__(
        self,
        root_of: Callable[[str], str],
        standing: Callable[[str], Standing | None],
        layout: Callable[[str], str],
    ) -> None:
        """root_of   the worktree of a folder, else the folder, links resolved
        standing  the registered worktree at such a root
        layout    which one a worktree of a type gets, by name or whole path
        """
        self._root_of = root_of
        self._standing = standing
        self._layout = layout

    def standing_in(self, cwd: str) -> Standing | None:
        """The registered worktree that a folder lies in."""
        return self._standing(self._root_of(cwd))

    def open(self, session: LiveSession, path: str, name: str = "", *, line: str = "") -> Opened:
        """Go to the tab that stands in the worktree at `path`, else make one.

        line  what is typed into the first shell of a new one, its Enter included

        Raises InvalidInput where `path` is no worktree's or the layout is none, NotFound where one of
        them is not there, Unavailable.
        """
        root = self._root_of(path)
        if not Path(path).is_dir():  # Zellij would start the shells somewhere else
            raise NotFound(f"{path} is not there", hint="`zdriver worktree list` shows what is")
        found = self._standing(root)
        name = name or (found.name if found else "")
        if not name:
            raise InvalidInput(f"{path} is in no worktree", hint="`zdriver worktree list` shows them")
        with session.exclusive():
            there = self._terminal_in(session, root)
            if there is not None:
                session.request("focus", {"pane": there[0]}, _Focused, timeout=APPLY_TIMEOUT)
                return Opened(made=False, tab=self._name(session, there[1]), position=there[1])
            name = name if len(name) <= NAME_MAX else name[: NAME_MAX - 1] + "…"
            layout = self._layout(found.type if found else "")
            position = self._made(session, root, _tab(layout, session, name, root), line)
        session.status_due()
        return Opened(made=True, tab=name, position=position)

    def _made(self, session: LiveSession, root: str, kdl: str, line: str) -> int:
        params = {
            "mode": "one_tab",
            "kdl": kdl,
            "focus_tab": 0,
            "writes": [{"tab": 0, "pane": 0, "text": line}] if line else [],
            "timeout": APPLY_TIMEOUT - 1,
        }
        applied = session.request("apply", params, Applied, timeout=APPLY_TIMEOUT)
        if not applied.tabs:
            raise Unavailable(
                "Zellij did not open the tab in time", hint="`zdriver doctor` says what is missing"
            )
        # Who asks again at once shall find this tab, not make a second one.
        session.settle(lambda: self._terminal_in(session, root) is not None, timeout=SETTLE_TIMEOUT)
        return applied.tabs[0].position

    def _terminal_in(self, session: LiveSession, root: str) -> tuple[int, int] | None:
        """(terminal id, tab position) of a pane in that worktree: rather in the tab that is shown,
        rather one that has its tab's focus.
        """
        state = session.capture.state
        if state is None:
            return None
        active = {tab.position for tab in state.tabs if tab.active}
        panes = [pane for pane in state.panes if not pane.is_plugin]
        panes.sort(key=lambda pane: (pane.tab not in active, pane.tab, not pane.focused, pane.id))
        for pane in panes:
            cwd = pane_cwd(session, pane.id)
            if cwd and (cwd == root or self._root_of(cwd) == root):
                return pane.id, pane.tab
        return None

    def _name(self, session: LiveSession, position: int) -> str:
        state = session.capture.state
        return next((tab.name for tab in state.tabs if tab.position == position), "") if state else ""


def _tab(layout: str, session: LiveSession, name: str, root: str) -> str:
    """KDL of the tab to be made. Raises NotFound and InvalidInput, which name the layout."""
    text = read_layout(layout, session.server.env)
    try:
        return one_tab(text, name=name, path=root)
    except InvalidInput as error:
        raise InvalidInput(
            f"layout {layout}: {error.message}", hint=error.hint or "mend that file, or name another"
        ) from error
