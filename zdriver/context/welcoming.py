"""Say in a Zellij session what was restored into it, and how to undo that."""

from __future__ import annotations

from datetime import datetime

from zdriver.context.api import ContextApi
from zdriver.context.banner import MILESTONES, banner_lines
from zdriver.context.model import Place, RestoreReport
from zdriver.context.terminal import Terminal

SECONDS = 20


def welcome(terminal: Terminal, contexts: ContextApi, report: RestoreReport, now: datetime) -> None:
    """Raises Unavailable."""
    place = Place(cwd=terminal.root, zellij_session=terminal.zellij_session)
    lines = banner_lines(
        contexts.intent(place=place), contexts.milestones(place=place, limit=MILESTONES), report, now
    )
    terminal.notify("banner", {"lines": lines, "keys": "undo", "seconds": SECONDS})
