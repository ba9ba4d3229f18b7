"""When to try again, and when no more. Pure."""

from __future__ import annotations

from zdriver.events.sinks import Refused
from zdriver.events.trying import backoff

#: `deliveries.next_at` of an event that is set aside: it goes when somebody says so.
NEVER = 2**63 - 1

#: Seconds until the first and the longest time until the next attempt with an event that was refused.
EVENT_FIRST, EVENT_MOST = 0.5, 300.0
#: Refusals after which an event is set aside, if others got through meanwhile: 15 to 20 minutes.
ATTEMPTS = 12


def next_at(refused: Refused, attempts: int, *, others: bool, now: int, chance: float) -> int:
    """When a refused event is due again (µs), or NEVER.

    attempts  refusals of it, with this one
    others    whether others got through since its first refusal: else it is the sink, not the event
    """
    if refused.never or (attempts >= ATTEMPTS and others):
        return NEVER
    return now + int(backoff(attempts, chance, first=EVENT_FIRST, most=EVENT_MOST) * 1_000_000)
