"""Who talks to a broker may lose it, and tries again: how it is, and how long it waits. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from zdriver.core.errors import ZdriverError

#: Seconds until the first and the longest time until the next attempt to connect.
FIRST, MOST = 0.2, 30.0


class Condition(msgspec.Struct, frozen=True):
    """How the connection is, since when, and what is wrong with it."""

    state: Literal["ok", "down"]
    since: datetime
    message: str = ""
    hint: str = ""

    def down(self, error: ZdriverError, now: datetime) -> Condition:
        """After this failure. However many there are, it is down since the first."""
        since = self.since if self.state == "down" else now
        return Condition("down", since, error.message, error.hint)

    def is_news(self, error: ZdriverError) -> bool:
        """Whether this failure is worth a line: not the same one again."""
        return (self.state, self.message) != ("down", error.message)


def backoff(failures: int, chance: float, *, first: float, most: float) -> float:
    """Seconds to wait after so many failures (from 1 on): doubled each time, then half of it by chance.

    chance  0 to 1: many daemons that lost the same broker do not come back at the same moment
    """
    whole: float = min(first * 2 ** min(failures - 1, 30), most)
    return whole / 2 + whole / 2 * chance
