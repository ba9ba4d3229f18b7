"""Leases count the time that went by, also when somebody sets the clock.

The store's clock is the wall's: it may be put forward and back, and it goes on while the machine
sleeps. A steady clock beside it shows by how much it was moved; every lease is moved along.
"""

from __future__ import annotations

import time
from collections.abc import Callable

#: Below this, in µs, it may be the slow correction of a clock that is right.
TOLERANCE = 1_000_000


def steady_us() -> int:
    """Microseconds that only go forward, and stand still while the machine sleeps."""
    return time.monotonic_ns() // 1000


class ClockMoved(Exception):
    """The store's clock was set: leases have to be moved before anything is judged by them."""


class Steady:
    """How far the store's clock was moved since it was last seen; not thread-safe but for `moved`."""

    def __init__(self, clock: Callable[[], int] = steady_us) -> None:
        self._clock = clock
        self._ahead: int | None = None  #: of the store's clock over ours

    def moved(self, now: int) -> int:
        """By how much, in µs; 0: not, or too little to matter."""
        ahead = now - self._clock()
        if self._ahead is None:
            self._ahead = ahead
        by = ahead - self._ahead
        return by if abs(by) > TOLERANCE else 0

    def refuse(self, now: int) -> None:
        """Raises ClockMoved."""
        if self.moved(now):
            raise ClockMoved

    def accept(self, by: int) -> None:
        """The leases were moved along."""
        assert self._ahead is not None
        self._ahead += by
