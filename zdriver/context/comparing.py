"""When two layouts are the same, what changed between them, and where they differ.

    normalise(layout) -> Layout            one form for all layouts that mean the same
    digest(layout) -> str                  SHA-256 of that form, as hex
    change(old, new) -> none|focus|content what a capture has to do
    same_layout(one, other) -> bool        the same up to a row or a column
    compare(planned, actual) -> differences, pane by pane

Focus is part of the digest, because a restore must put it back. Where moving about in the
panes should not make a generation each time, `change` says "focus": then the newest
generation can be overwritten instead. Scrollback is not part of it.

Zellij dumps sizes as whole per cent of the parent, so a restored pane may differ by a row.
No digest can be tolerant (some pair of neighbours always falls apart), so `change` compares
within a tolerance against the last *stored* layout: small steps still add up to a change.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from typing import Literal

import msgspec

from zdriver.context.layout import Frame, Layout, Pane, Split, Tab, leaves, terminals

#: One row of a 40-row screen is 2.5 %; Zellij rounds to whole per cent besides.
PERCENT_SLACK = 3
CELL_SLACK = 1

Change = Literal["none", "focus", "content"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not as planned. `pane` is "" when it is the tab's."""

    tab: str
    tab_index: int
    pane: str
    pane_index: int  #: among the tab's terminal panes; -1 when it is the tab's
    field: str
    planned: str
    actual: str


def normalise(layout: Layout) -> Layout:
    """One form for layouts that mean the same: no lone containers, no scrollback, no idle flags.

    A layout with one tab has that tab focused, a tab with one pane that pane.
    """
    tabs = tuple(_tab(tab, alone=len(layout.tabs) == 1) for tab in layout.tabs)
    return Layout(tabs=tabs, tail=layout.tail)


def digest(layout: Layout) -> str:
    return hashlib.sha256(msgspec.json.encode(normalise(layout), order="sorted")).hexdigest()


def change(old: Layout | None, new: Layout) -> Change:
    """What happened since `old` was stored: nothing, only the focus moved, or something real."""
    if old is None:
        return "content"
    before, after = normalise(old), normalise(new)
    if _alike(before, after):
        return "none"
    return "focus" if _alike(_unfocused(before), _unfocused(after)) else "content"


def same_layout(one: Layout, other: Layout) -> bool:
    """The same up to a row or a column, and including the focus."""
    return _alike(normalise(one), normalise(other))


def _tab(tab: Tab, *, alone: bool) -> Tab:
    tiled = tuple(_node(node) for node in tab.tiled)
    if len(tiled) == 1 and isinstance(tiled[0], Split) and _plain(tiled[0]):
        tiled = tiled[0].children
    floating = tuple(_pane(pane) for pane in tab.floating)
    if len(tiled) == 1 and isinstance(tiled[0], Pane):
        focus = tiled[0].plugin is None or tiled[0].focus
        tiled = (msgspec.structs.replace(tiled[0], size=None, focus=focus),)
    return Tab(
        name=tab.name,
        focus=tab.focus or alone,
        tiled=tiled,
        floating=floating,
        hide_floating=tab.hide_floating and bool(floating),
    )


def _plain(split: Split) -> bool:
    return split.direction == "horizontal" and not split.stacked


def _node(node: Pane | Split) -> Pane | Split:
    if isinstance(node, Pane):
        return _pane(node)
    children = tuple(_node(child) for child in node.children)
    if node.stacked:
        # Zellij gives a stack's members no size of their own
        flat = leaves(children)
        children = tuple(msgspec.structs.replace(pane, size=None) for pane in flat)
    elif len(children) == 1:
        return msgspec.structs.replace(children[0], size=node.size)
    else:
        children = tuple(_unexpanded(child) for child in children)
    return msgspec.structs.replace(node, children=children)


def _unexpanded(node: Pane | Split) -> Pane | Split:
    if isinstance(node, Pane) and node.expanded:
        return msgspec.structs.replace(node, expanded=False)
    return node


def _pane(pane: Pane) -> Pane:
    if pane.plugin is not None:
        return msgspec.structs.replace(pane, cwd="", command=(), contents="", exited=False, redacted=False)
    cwd = pane.cwd if pane.cwd == "/" else pane.cwd.rstrip("/")
    return msgspec.structs.replace(pane, cwd=cwd, contents="") if pane.contents or cwd != pane.cwd else pane


def _unfocused(layout: Layout) -> Layout:
    return Layout(
        tabs=tuple(
            msgspec.structs.replace(
                tab,
                focus=False,
                hide_floating=False,
                tiled=tuple(_unfocused_node(node) for node in tab.tiled),
                floating=tuple(msgspec.structs.replace(pane, focus=False) for pane in tab.floating),
            )
            for tab in layout.tabs
        ),
        tail=layout.tail,
    )


def _unfocused_node(node: Pane | Split) -> Pane | Split:
    if isinstance(node, Pane):
        # which pane of a stack is open follows the focus
        return msgspec.structs.replace(node, focus=False, expanded=False)
    return msgspec.structs.replace(node, children=tuple(_unfocused_node(child) for child in node.children))


# ------------------------------------------------------------- tolerant equality


def _alike(one: Layout, other: Layout) -> bool:
    if one == other:
        return True
    if len(one.tabs) != len(other.tabs) or one.tail != other.tail:
        return False
    return all(map(_alike_tabs, one.tabs, other.tabs))


def _alike_tabs(one: Tab, other: Tab) -> bool:
    if (one.name, one.focus, one.hide_floating) != (other.name, other.focus, other.hide_floating):
        return False
    if len(one.tiled) != len(other.tiled) or len(one.floating) != len(other.floating):
        return False
    return all(map(_alike_nodes, one.tiled, other.tiled)) and all(
        map(_alike_nodes, one.floating, other.floating)
    )


def _alike_nodes(one: Pane | Split, other: Pane | Split) -> bool:
    if isinstance(one, Pane):
        if not isinstance(other, Pane):
            return False
        bare = {"size": None, "frame": None}
        return (
            near(one.size, other.size)
            and _near_frames(one.frame, other.frame)
            and msgspec.structs.replace(one, **bare) == msgspec.structs.replace(other, **bare)
        )
    return (
        isinstance(other, Split)
        and (one.direction, one.stacked, len(one.children))
        == (other.direction, other.stacked, len(other.children))
        and near(one.size, other.size)
        and all(map(_alike_nodes, one.children, other.children))
    )


def near(one: str | None, other: str | None) -> bool:
    """Whether two sizes or places are within a row: cells ±1, per cent ±3."""
    if one == other:
        return True
    if one is None or other is None or one.endswith("%") != other.endswith("%"):
        return False
    slack = PERCENT_SLACK if one.endswith("%") else CELL_SLACK
    try:
        return abs(int(one.rstrip("%")) - int(other.rstrip("%"))) <= slack
    except ValueError:
        return False


def _near_frames(one: Frame | None, other: Frame | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.pinned == other.pinned and all(
        near(getattr(one, field), getattr(other, field)) for field in ("x", "y", "width", "height")
    )


# ------------------------------------------------------------- planned against actual


def compare(planned: Layout, actual: Layout) -> tuple[Difference, ...]:
    """Where `actual` is not as `planned`: tab, place, name, focus, cwd and argv of each pane."""
    return tuple(_compare(normalise(planned), normalise(actual)))


def _compare(planned: Layout, actual: Layout) -> Iterator[Difference]:
    for at, (plan, made) in enumerate(itertools.zip_longest(planned.tabs, actual.tabs)):
        where = _Where(at, (plan or made).name)
        if plan is None or made is None:
            yield where.differs(
                "tab", "none" if plan is None else "there", "none" if made is None else "there"
            )
            continue
        yield from where.fields(plan, made, ("name", "focus", "hide_floating"))
        shape, got = [_shape(plan.tiled), _shape(made.tiled)]
        if shape != got:
            yield where.differs("splits", shape, got)
        for index, (pane, real) in enumerate(itertools.zip_longest(terminals(plan), terminals(made))):
            spot = _Where(at, where.tab, index, (pane or real).name)
            if pane is None or real is None:
                yield spot.differs(
                    "pane", "none" if pane is None else "there", "none" if real is None else "there"
                )
                continue
            yield from spot.fields(pane, real, ("name", "focus", "cwd", "command", "exited"))
            if not near(pane.size, real.size) or not _near_frames(pane.frame, real.frame):
                yield spot.differs("place", _place(pane), _place(real))


class _Where:
    def __init__(self, tab_index: int, tab: str, pane_index: int = -1, pane: str = "") -> None:
        self.tab_index, self.tab = tab_index, tab
        self.pane_index, self.pane = pane_index, pane

    def differs(self, field: str, planned: object, actual: object) -> Difference:
        return Difference(
            tab=self.tab,
            tab_index=self.tab_index,
            pane=self.pane,
            pane_index=self.pane_index,
            field=field,
            planned=_show(planned),
            actual=_show(actual),
        )

    def fields(self, one: object, other: object, names: tuple[str, ...]) -> Iterator[Difference]:
        for name in names:
            planned, actual = getattr(one, name), getattr(other, name)
            if planned != actual:
                yield self.differs(name, planned, actual)


def _show(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "a shell"
    return str(value)


def _shape(nodes: tuple[Pane | Split, ...]) -> str:
    """The splits without sizes: `-` a pane, `(…)` one above the other, `[…]` side by side, `{…}` a stack."""
    parts = []
    for node in nodes:
        if isinstance(node, Pane):
            parts.append("-" if node.plugin is None else "p")
        else:
            left, right = "{}" if node.stacked else "[]" if node.direction == "vertical" else "()"
            parts.append(left + _shape(node.children) + right)
    return "".join(parts)


def _place(pane: Pane) -> str:
    if pane.frame is None:
        return f"size {pane.size or 'even'}"
    frame = pane.frame
    pinned = " pinned" if frame.pinned else ""
    return f"{frame.width}×{frame.height} at {frame.x},{frame.y}{pinned}"
