"""Timing: ours and the limit in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence


def percentile(values: Sequence[float], per_cent: float) -> float:
    """The nearest-rank percentile: a value that was measured."""
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * per_cent // 100))
    return ordered[int(rank) - 1]


def timed(action: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


class Turns:
    """Seconds of ours and of the limit, measured in blocks one after the other."""

    def __init__(self, ours: Callable[[], object], limit: Callable[[], object]) -> None:
        self._actions = (ours, limit)
        self.ours: list[float] = []
        self.limit: list[float] = []

    def run(self, rounds: int, *, block: int = 1, warm: int = 1) -> Turns:
        """`rounds` times `block` of each; the first `warm` blocks are not counted."""
        for number in range(rounds + warm):
            for action, kept in zip(self._actions, (self.ours, self.limit), strict=True):
                seconds = [timed(action) for _ in range(block)]
                if number >= warm:
                    kept += seconds
        return self

    def ms(self, per_cent: float = 50) -> tuple[float, float]:
        """(ours, limit) in milliseconds."""
        return percentile(self.ours, per_cent) * 1000, percentile(self.limit, per_cent) * 1000
