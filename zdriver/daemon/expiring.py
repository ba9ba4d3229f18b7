"""What removals kept is let go of when its 14 days are over: looked after once an hour."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from zdriver.core.clock import Clock, now_us
from zdriver.core.errors import ZdriverError

log = logging.getLogger(__name__)

#: Seconds between two looks.
EVERY = 3600.0
#: Seconds after the start until the first: nothing waits for it.
FIRST = 60.0


class Expiry(Protocol):
    def expire(self, now: int) -> int: ...


class Expiring:
    """A component. `clock` is what time it is, `every` and `first` how long it really waits (seconds)."""

    def __init__(
        self, removals: Expiry, *, clock: Clock = now_us, every: float = EVERY, first: float = FIRST
    ) -> None:
        self._removals = removals
        self._clock = clock
        self._every = every
        self._first = first
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="expiring", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    def look(self) -> int:
        """Once, now; how many removals were let go of. Raises nothing."""
        try:
            gone = self._removals.expire(self._clock())
        except ZdriverError as error:
            log.warning("what removals kept is not looked after: %s", error.message)
            return 0
        except Exception:
            log.exception("what removals kept is not looked after")
            return 0
        if gone:
            log.info("%d removals are over: what they kept is gone", gone)
        return gone

    def _run(self) -> None:
        wait = self._first
        while not self._ending.wait(wait):
            self.look()
            wait = self._every
