"""`--since`: a time as people write it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from zdriver.core.errors import InvalidInput

_AGO = re.compile(r"(\d{1,6})\s*(min|m|h|d|w)", re.ASCII)
_UNITS = {
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


def parse_since(text: str, now: datetime) -> datetime:
    """The moment that `text` means, in UTC. `now` carries the user's time zone.

    "30m", "2h", "3d", "1w" ago; "today" and "yesterday" begin at midnight; an ISO 8601
    date or time without a zone is local. Raises InvalidInput.
    """
    plain = text.strip().lower().removesuffix(" ago")
    if match := _AGO.fullmatch(plain):
        try:
            return (now - int(match[1]) * _UNITS[match[2]]).astimezone(UTC)
        except OverflowError:
            raise _unclear(text) from None
    if plain in ("today", "yesterday"):
        day = now.date() - timedelta(days=plain == "yesterday")
        return datetime(day.year, day.month, day.day).astimezone(UTC)
    try:
        # astimezone() takes a naive moment as local time, with the offset of that day.
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _unclear(text) from None


def _unclear(text: str) -> InvalidInput:
    return InvalidInput(
        f"--since {text!r} is no time that zdriver knows",
        hint="use 30m, 2h, 3d, 1w, today, yesterday or a date such as 2026-05-01",
    )
