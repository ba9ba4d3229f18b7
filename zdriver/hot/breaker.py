"""Whether an engine is worth asking, and when again. Pure: clock and chance are passed in.

Whoever may wait tries again, later and later (`Backoff`); whoever may not passes while the breaker
is open.
"""

from __future__ import annotations

import threading
from typing import Literal

State = Literal["ok", "slow", "down"]

FIRST = 0.1  #: seconds until the first try again
LONGEST = 5.0


class Breaker:
    """Thread-safe."""

    def __init__(self, now: float) -> None:
        self._lock = threading.Lock()
        self.state: State = "ok"  #: until it proves otherwise: a daemon that starts warns of nothing
        self.reason = ""
        self.since = now

    @property
    def closed(self) -> bool:
        """Whether a command may ask."""
        return self.state == "ok"

    def worked(self, now: float, *, slow: str = "") -> None:
        """It answered; `slow` says why that does not count as quick."""
        with self._lock:
            self._to("slow" if slow else "ok", slow, now)

    def failed(self, reason: str, now: float) -> None:
        with self._lock:
            self._to("down", reason, now)

    def _to(self, state: State, reason: str, now: float) -> None:
        if state != self.state:
            self.since = now
        self.state, self.reason = state, reason


class Backoff:
    """One thread at a time."""

    def __init__(self) -> None:
        self._pause = FIRST

    def reset(self) -> None:
        self._pause = FIRST

    def next(self, chance: float) -> float:
        """Seconds to wait before the next try; `chance` from 0 to 1 spreads those of many."""
        pause, self._pause = self._pause, min(LONGEST, self._pause * 2)
        return pause * (0.75 + chance / 2)
