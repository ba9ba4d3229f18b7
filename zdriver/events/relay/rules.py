"""When to try again, and when no more. Pure."""

from __future__ import annotations

from zdriver.events.sinks import Refused

#: `deliveries.next_at` of an event that is set aside: it goes when somebody says so.
NEVER = 2**63 - 1

#: Seconds until the first and the longest time until the next attempt to connect.
CONNECT_FIRST, CONNECT_MOST = 0.2, 30.0
#: The same for an event that was refused.
EVENT_FIRST, EVENT_MOST = 0.5, 300.0
#: Refusals after which an event is set aside, if others got through meanwhile: 15 to 20 minutes.
ATTEMPTS = 12


def backoff(failures: int, chance: float, *, first: float, most: float) -> float:
    """Seconds to wait after so many failures (from 1 on): doubled each time, then half of it by chance.

    chance  0 to 1: many daemons that lost the same broker do not come back at the same moment
    """
    whole: float = min(first * 2 ** min(failures - 1, 30), most)
    return whole / 2 + whole / 2 * chance


def next_at(refused: Refused, attempts: int, *, others: bool, now: int, chance: float) -> int:
    """When a refused event is due again (µs), or NEVER.

    attempts  refusals of it, with this one
    others    whether others got through since its first refusal: else it is the sink, not the event
    """
    if refused.never or (attempts >= ATTEMPTS and others):
        return NEVER
    return now + int(backoff(attempts, chance, first=EVENT_FIRST, most=EVENT_MOST) * 1_000_000)
