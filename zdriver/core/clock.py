"""Time. Stored as integer microseconds since the epoch, UTC; shown as ISO 8601 UTC."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

#: Returns now, in microseconds since the epoch. Rules get the value, never the clock.
Clock = Callable[[], int]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now_us() -> int:
    return time.time_ns() // 1000


def to_datetime(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)


def to_datetime_or_none(us: int | None) -> datetime | None:
    """Of a column that may be empty."""
    return None if us is None else to_datetime(us)


def to_us(moment: datetime) -> int:
    """Exact, where `timestamp()` would round. A naive moment is taken as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)
