"""The database's clock, on machines whose own may be wrong.

What a connection said is carried on by a counter of ours that nobody sets: asking again for each
look at the time would cost a round trip each.
"""

from __future__ import annotations

import time
from typing import NamedTuple

#: µs for which what the database said last is good enough for a read.
FRESH = 2_000_000
#: The server's clock; within a transaction as well, unlike `now()`.
ASK = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"

# It goes on while the machine sleeps: else the time before would be taken for that after.
_COUNTER = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def counted() -> int:
    """Microseconds that only go forward."""
    return time.clock_gettime_ns(_COUNTER) // 1000


class Sample(NamedTuple):
    """What the database's clock said when its answer came in."""

    said: int  #: µs since the epoch
    at: int  #: `counted()`

    def now(self) -> int:
        return self.said + counted() - self.at

    @property
    def fresh(self) -> bool:
        return counted() - self.at < FRESH


#: Before anything was heard.
NEVER = Sample(0, -(2**62))
