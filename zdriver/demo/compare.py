"""What is not as it was before. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from zdriver.testing import PaneFact

#: Cells by which a pane's edges may be off: layouts keep sizes in whole per cent.
TOLERANCE = 1


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    pane: str  #: 'tab "code" · editor'
    what: str  #: "cwd", "argv", "place" …
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.pane}: {self.what} was {self.before}, is {self.after}"


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A pane before, and the one that stands for it after."""

    before: PaneFact
    after: PaneFact | None
    differences: tuple[Difference, ...]


def label(pane: PaneFact) -> str:
    name = pane.name or (pane.argv[0].rsplit("/", 1)[-1] if pane.argv else "a pane")
    return f'tab "{pane.tab}" · {name}'


def compare(before: Sequence[PaneFact], after: Sequence[PaneFact]) -> list[Pair]:
    """One pair per pane of `before`: by tab and name, else the nearest unnamed of that tab."""
    left = list(after)
    pairs: list[Pair] = []
    for pane in sorted(before, key=lambda pane: not pane.name):  # the named choose first
        found = min(
            (other for other in left if _stands_for(pane, other)),
            key=lambda other: _distance(pane, other),
            default=None,
        )
        if found is not None:
            left.remove(found)
        pairs.append(Pair(before=pane, after=found, differences=_differences(pane, found)))
    return sorted(pairs, key=lambda pair: before.index(pair.before))


def additional(before: Sequence[PaneFact], after: Sequence[PaneFact]) -> list[Difference]:
    """Panes that nobody asked for."""
    used = [pair.after for pair in compare(before, after)]
    return [
        Difference(pane=label(pane), what="pane", before="not there", after="there")
        for pane in after
        if pane not in used
    ]


def _stands_for(pane: PaneFact, other: PaneFact) -> bool:
    return (pane.tab, pane.name, pane.floating) == (other.tab, other.name, other.floating)


def _distance(pane: PaneFact, other: PaneFact) -> int:
    return sum(abs(one - two) for one, two in zip(_place(pane), _place(other), strict=True))


def _place(pane: PaneFact) -> tuple[int, int, int, int]:
    return pane.x, pane.y, pane.columns, pane.rows


def _differences(before: PaneFact, after: PaneFact | None) -> tuple[Difference, ...]:
    if after is None:
        return (Difference(pane=label(before), what="pane", before="there", after="gone"),)
    found: list[Difference] = []

    def differs(what: str, old: object, new: object) -> None:
        found.append(Difference(pane=label(before), what=what, before=str(old), after=str(new)))

    off = (abs(one - two) for one, two in zip(_place(before), _place(after), strict=True))
    if max(off) > TOLERANCE:
        differs("place", _place(before), _place(after))
    for what in ("tab_position", "focused", "cwd", "argv", "held"):
        old, new = getattr(before, what), getattr(after, what)
        if old != new:
            differs(what, old, new)
    return tuple(found)
