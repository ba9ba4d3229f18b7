"""Which generations of one Zellij session's snapshots are let go.

    to_drop(generations, now, limit=…) -> frozenset[int]

All are kept for an hour, then the newest of each 5 minutes for a day, of each hour for
7 days, of each day for 90 days. The newest good one and pinned ones always stay. Should
what is left be larger than the limit, the oldest go until it fits.

The spans lie on the clock (00:05, 00:10, …), not back from now. So a second run drops
nothing more, and running often or seldom ends with the same generations.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

SECOND = 1_000_000  #: µs
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

SIZE_LIMIT = 50 * 1024 * 1024  #: bytes per Zellij session

#: Up to this age all are kept; in µs, as what follows.
KEEP_ALL = HOUR
#: (up to this age, one per span of this length).
SPANS = ((DAY, 5 * MINUTE), (7 * DAY, HOUR), (90 * DAY, DAY))


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    generation: int
    taken_at: int  #: µs since the epoch
    size: int = 0  #: bytes that dropping it frees
    pinned: bool = False
    good: bool = True


def to_drop(generations: Iterable[Generation], now: int, *, limit: int = SIZE_LIMIT) -> frozenset[int]:
    """The numbers of the generations to delete. `now` in µs since the epoch."""
    newest_first = sorted(generations, key=lambda g: (g.taken_at, g.generation), reverse=True)
    newest_good = next((g.generation for g in newest_first if g.good), None)
    safe = {g.generation for g in newest_first if g.pinned or g.generation == newest_good}
    kept = _thinned(newest_first, now, safe)
    kept = _within(kept, limit, safe)
    return frozenset(g.generation for g in newest_first) - {g.generation for g in kept}


def _thinned(newest_first: list[Generation], now: int, safe: set[int]) -> list[Generation]:
    """One per span. A good one is preferred to a damaged one; among those the newest."""
    best: dict[tuple[int, int], Generation] = {}
    for each in newest_first:
        slot = _slot(each, now)
        if slot is not None and (slot not in best or (each.good and not best[slot].good)):
            best[slot] = each
    chosen = {each.generation for each in best.values()} | safe
    return [each for each in newest_first if each.generation in chosen]


def _slot(each: Generation, now: int) -> tuple[int, int] | None:
    """The span it lies in, as (length, number); None: too old. The future counts as now."""
    age = now - each.taken_at
    if age <= KEEP_ALL:
        return 0, each.generation
    for reach, length in SPANS:
        if age <= reach:
            return length, each.taken_at // length
    return None


def _within(newest_first: list[Generation], limit: int, safe: set[int]) -> list[Generation]:
    total = sum(each.size for each in newest_first)
    kept = list(newest_first)
    for each in reversed(newest_first):
        if total <= limit:
            break
        if each.generation not in safe:
            kept.remove(each)
            total -= each.size
    return kept
