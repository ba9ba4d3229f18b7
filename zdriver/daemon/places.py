"""Where in a bridged Zellij session something is meant: its panes' folders, and their status."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime

import msgspec

from zdriver.context.api import ContextApi
from zdriver.context.capture import State
from zdriver.context.model import Place
from zdriver.core.errors import ZdriverError
from zdriver.daemon.live import LiveSession
from zdriver.worktrees.standing import Standing


class TabStatus(msgspec.Struct, frozen=True, kw_only=True):
    position: int
    intent: str
    intent_at: datetime | None
    milestone: str
    milestone_at: datetime | None
    worktree: str = ""  #: its name; "" outside of a registered one
    holder: str = ""  #: the agent whose claim is live
    held_until: datetime | None = None  #: in local time: the plugin, which knows no time zone, shows it


class StatusLine(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters of the bridge's `status`."""

    tabs: tuple[TabStatus, ...]
    warning: str = ""


def focused_cwd(session: LiveSession) -> str:
    """Working folder of the terminal that has the keys; "" when it is not known."""
    state: State | None = session.capture.state
    active = next((tab.position for tab in state.tabs if tab.active), 0) if state is not None else 0
    return _tab_cwd(session, active)


def _tab_cwd(session: LiveSession, position: int) -> str:
    """Working folder of the terminal that has the focus in a tab, else of its first one."""
    state = session.capture.state
    if state is None:
        return ""
    tab = next((each for each in state.tabs if each.position == position), None)
    floating = tab is not None and tab.floating_visible
    shown = [pane for pane in state.panes if pane.tab == position and not pane.is_plugin]
    shown.sort(key=lambda pane: (not (pane.focused and pane.is_floating == floating), pane.is_floating))
    for pane in shown:
        if cwd := pane_cwd(session, pane.id):
            return cwd
    return ""


def pane_cwd(session: LiveSession, terminal: int) -> str:
    """Working folder of what runs in a pane; "" when it is not known."""
    found = session.capture.processes.get(terminal)
    state = session.capture.state
    return (found.cwd if found is not None else "") or (state.cwds.get(terminal, "") if state else "")


def place_of(session: LiveSession, pane: int | None) -> Place:
    """What is meant in a pane. Of one that is not known yet its plugin is asked first: what was typed
    in it is not of the tab that was shown before.
    """
    cwd = pane_cwd(session, pane) if pane is not None else ""
    if pane is not None and not cwd:
        with contextlib.suppress(ZdriverError):
            session.layout()
        cwd = pane_cwd(session, pane)
    return Place(cwd=cwd or focused_cwd(session) or session.root, zellij_session=session.zellij_session)


def status_line(
    session: LiveSession, contexts: ContextApi, standing_in: Callable[[str], Standing | None]
) -> StatusLine:
    """What each tab shows: of the root of its focused terminal."""
    state = session.capture.state
    tabs = []
    for tab in state.tabs if state is not None else ():
        cwd = _tab_cwd(session, tab.position) or session.root
        place = Place(cwd=cwd, zellij_session=session.zellij_session)
        status = contexts.status(place=place)
        found = standing_in(cwd)
        tabs.append(
            TabStatus(
                position=tab.position,
                intent=status.intent,
                intent_at=status.intent_at,
                milestone=status.milestone,
                milestone_at=status.milestone_at,
                worktree=found.name if found else "",
                holder=found.holder if found else "",
                held_until=found.until.astimezone() if found and found.until else None,
            )
        )
    return StatusLine(tabs=tuple(tabs))
