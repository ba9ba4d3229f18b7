"""Which pane of the plugin's manifest stands where in a dump.

A dump has no pane ids. But Zellij makes it by cutting the screen along lines that run all
the way through, so each container's children follow one another along its axis: sort
the panes by x or y, give each child as many as it has leaves, and go on within.
"""

from __future__ import annotations

from collections.abc import Sequence

from zdriver.context.layout import Pane, Split, leaves
from zdriver.context.manifest import PaneState

Nodes = Sequence[Pane | Split]


def assign(
    nodes: tuple[Pane | Split, ...], shown: list[PaneState], hidden: list[PaneState], *, strict: bool
) -> list[PaneState | None] | None:
    """The manifest's pane of each leaf of `nodes`, in the leaves' order; None: they do not fit.

    shown   the tab's tiled panes
    hidden  its suppressed ones: Zellij hides members of a stack that has no room
    strict  refuse what the places do not prove. Otherwise the most alike are put together,
            and a leaf that has no pane is None.
    """
    wanted = leaves(nodes)
    full = [pane for pane in shown if pane.fullscreen]
    if len(wanted) == len(shown):
        found = _around(nodes, wanted, shown, full[0]) if len(full) == 1 else _by_place(nodes, shown)
        if found is not None and _agree(wanted, found):
            return list(found)
    if strict or len(wanted) < len(shown) or len(wanted) > len(shown) + len(hidden):
        return None
    return _unfolded(nodes, wanted, shown, hidden) or _most_alike(wanted, [*shown, *hidden])


def match_floating(known: Sequence[Pane], panes: Sequence[PaneState]) -> list[tuple[Pane | None, PaneState]]:
    """Each floating pane with what the dump says of it. The order is the dump's, then the rest's."""
    found = _most_alike(known, panes)
    pairs: list[tuple[Pane | None, PaneState]] = [
        (leaf, pane) for leaf, pane in zip(known, found, strict=True) if pane is not None
    ]
    taken = {id(pane) for pane in found}
    return pairs + [(None, pane) for pane in panes if id(pane) not in taken]


def _by_place(nodes: Nodes, panes: list[PaneState], vertical: bool = False) -> list[PaneState] | None:
    """One pane per leaf, or None where the panes do not lie as `nodes` say."""
    if len(nodes) == 1:
        node = nodes[0]
        if isinstance(node, Pane):
            return panes if len(panes) == 1 else None
        return _by_place(node.children, panes, node.direction == "vertical")
    ordered = sorted(panes, key=(lambda p: p.x) if vertical else (lambda p: p.y))
    found: list[PaneState] = []
    start, edge = 0, 0
    for node in nodes:
        count = 1 if isinstance(node, Pane) else len(leaves(node.children))
        group = ordered[start : start + count]
        if not group:
            return None
        if start and min(p.x if vertical else p.y for p in group) < edge:
            return None
        edge = max(p.x + p.columns if vertical else p.y + p.rows for p in group)
        inner = group if isinstance(node, Pane) else _by_place([node], group)
        if inner is None:
            return None
        found += inner
        start += count
    return found if start == len(panes) else None


def _unfolded(
    nodes: tuple[Pane | Split, ...], wanted: list[Pane], shown: list[PaneState], hidden: list[PaneState]
) -> list[PaneState | None] | None:
    """Where of each stack only the open member is shown: the others have its very place.

    Among those nothing tells which is which but their looks, then their age.
    """
    stacks = [stack for stack in _stacks(nodes, 0) if len(stack) > 1]
    opens = {next((at for at in stack if wanted[at].expanded), stack[0]): stack for stack in stacks}
    folded = {at: open_ for open_, stack in opens.items() for at in stack if at != open_}
    visible = nodes
    for at in sorted(folded, reverse=True):
        visible = _without(visible, at)[0]
    found = _by_place(visible, shown) if folded else None
    if found is None:
        return None
    panes = iter(found)
    made: list[PaneState | None] = [None if at in folded else next(panes) for at in range(len(wanted))]
    for open_, stack in opens.items():
        there = [pane for pane in hidden if _place(pane) == _place(made[open_])]
        rest = [at for at in stack if at != open_]
        for at, pane in zip(rest, _most_alike([wanted[at] for at in rest], there), strict=True):
            made[at] = pane
    if any(pane is not None and _likeness(leaf, pane) < 0 for leaf, pane in zip(wanted, made, strict=True)):
        return None
    return made


def _stacks(nodes: Nodes, first: int) -> list[list[int]]:
    """The leaves of each stack, by their numbers."""
    found: list[list[int]] = []
    for node in nodes:
        count = 1 if isinstance(node, Pane) else len(leaves(node.children))
        if isinstance(node, Split):
            if node.stacked:
                found.append(list(range(first, first + count)))
            else:
                found += _stacks(node.children, first)
        first += count
    return found


def _place(pane: PaneState | None) -> tuple[int, int, int, int] | None:
    return None if pane is None else (pane.x, pane.y, pane.rows, pane.columns)


def _around(
    nodes: tuple[Pane | Split, ...], wanted: list[Pane], panes: list[PaneState], full: PaneState
) -> list[PaneState] | None:
    """The same with one pane in full screen: its place tells nothing, the others' do.

    Several leaves may be left for it; the focused one of the dump comes first, then the most alike.
    """
    others = [pane for pane in panes if pane is not full]
    order = sorted(
        range(len(wanted)), key=lambda at: (wanted[at].focus, _likeness(wanted[at], full)), reverse=True
    )
    for at in order:
        if _likeness(wanted[at], full) < 0:
            break
        found = _by_place(_without(nodes, at)[0], others) if others else []
        if found is not None:
            made = [*found[:at], full, *found[at:]]
            if _agree(wanted, made):
                return made
    return None


def _without(nodes: Nodes, leaf: int) -> tuple[tuple[Pane | Split, ...], int]:
    """`nodes` without their leaf number `leaf`; and how many leaves there are."""
    kept: list[Pane | Split] = []
    seen = 0
    for node in nodes:
        if isinstance(node, Pane):
            if seen != leaf:
                kept.append(node)
            seen += 1
            continue
        children, count = _without(node.children, leaf - seen)
        seen += count
        if children:
            kept.append(Split(direction=node.direction, stacked=node.stacked, children=children))
    return tuple(kept), seen


def _agree(wanted: Sequence[Pane], found: Sequence[PaneState]) -> bool:
    return all(_likeness(leaf, pane) >= 0 for leaf, pane in zip(wanted, found, strict=True))


def _most_alike(wanted: Sequence[Pane], panes: Sequence[PaneState]) -> list[PaneState | None]:
    """Puts together first what is surest, whatever its order; then what may be."""
    scored = [
        (-score, at, number)
        for at, leaf in enumerate(wanted)
        for number, pane in enumerate(panes)
        if (score := _likeness(leaf, pane)) >= 0
    ]
    found: list[PaneState | None] = [None] * len(wanted)
    taken: set[int] = set()
    for _, at, number in sorted(scored):
        if found[at] is None and number not in taken:
            found[at] = panes[number]
            taken.add(number)
    return found


def _likeness(leaf: Pane, pane: PaneState) -> int:
    """How well `pane` may be `leaf`; negative: it cannot be."""
    if (leaf.plugin is not None) != pane.is_plugin:
        return -1
    frame = leaf.frame
    placed = frame is not None and (frame.x, frame.y) == (str(pane.x), str(pane.y))
    named = bool(leaf.name) and leaf.name == pane.title
    if leaf.plugin is not None:
        return 16 * _same_plugin(leaf.plugin.location, pane.plugin_url or "") + 8 * placed + 4 * named
    running = bool(leaf.command) and pane.command == " ".join(leaf.command)
    return 8 * placed + 4 * named + 2 * running


def _same_plugin(one: str, other: str) -> bool:
    """An alias in one of them, what it stands for in the other, are taken for the same."""
    return _stem(one) == _stem(other)


def _stem(location: str) -> str:
    return location.removeprefix("zellij:").rsplit("/", 1)[-1].removesuffix(".wasm")
