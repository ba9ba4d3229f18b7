"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TimedOut(AssertionError):
    """What was waited for did not come."""


def until(
    ask: Callable[[], T | None],
    *,
    what: str,
    deadline: float = 30.0,
    every: float = 0.05,
    shows: Callable[[], str] | None = None,
) -> T:
    """Ask until the answer is true, and return it.

    deadline  seconds; then TimedOut, which says `what` was waited for, the last answer and `shows()`. Long:
              only a failure takes it all, and a busy machine may stand still for seconds
    every     seconds between two questions
    """
    end = time.monotonic() + deadline
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() >= end:
            seen = f"\n{shows()}" if shows else ""
            raise TimedOut(f"waited {deadline:g} s for {what}; last answer: {answer!r}{seen}")
        time.sleep(every)
