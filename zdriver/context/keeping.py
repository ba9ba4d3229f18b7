"""What of a snapshot is on the screen already, so that restoring twice changes nothing. Pure.

Whole tabs are kept or made: a tab of which an earlier restore's pane still lives, or one
that stands there with the same name and the same terminals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from zdriver.context.layout import Layout, Tab, terminals
from zdriver.context.model import PanePlan


def kept_tabs(layout: Layout, now: Layout, alive: Collection[int]) -> frozenset[int]:
    """Positions in `layout` of the tabs that need not be made again.

    `alive` are those of which a pane that an earlier restore of this very snapshot made is
    still there.
    """
    there = Counter(map(_content, now.tabs))
    kept = set(alive)
    there.subtract(_content(layout.tabs[at]) for at in kept)
    for at, tab in enumerate(layout.tabs):
        content = _content(tab)
        if at not in kept and there[content] > 0:
            there[content] -= 1
            kept.add(at)
    return frozenset(kept)


def mark(panes: Sequence[PanePlan], kept: Collection[int]) -> tuple[PanePlan, ...]:
    """The plan with the panes of `kept` tabs left as they are."""
    return tuple(
        msgspec.structs.replace(pane, action="keep", reason="its tab is there already")
        if pane.tab_index in kept
        else pane
        for pane in panes
    )


def without(
    layout: Layout, panes: Sequence[PanePlan], kept: Collection[int]
) -> tuple[Layout, tuple[PanePlan, ...]]:
    """What is left to make: layout and plan, their tabs counted anew."""
    order = [at for at in range(len(layout.tabs)) if at not in kept]
    position = {at: new for new, at in enumerate(order)}
    left = msgspec.structs.replace(layout, tabs=tuple(layout.tabs[at] for at in order))
    return left, tuple(
        msgspec.structs.replace(pane, tab_index=position[pane.tab_index])
        for pane in panes
        if pane.tab_index in position
    )


def _content(tab: Tab) -> tuple[str, tuple[tuple[str, str, tuple[str, ...]], ...]]:
    return tab.name, tuple(sorted((pane.name, pane.cwd, pane.command) for pane in terminals(tab)))
