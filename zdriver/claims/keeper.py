"""The thread that ends leases at the moment they run out. It sleeps while nobody holds anything."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from zdriver.core.errors import ZdriverError

log = logging.getLogger(__name__)

#: Seconds after which a sweep that failed (a full disk, for one) is tried again.
RETRY = 5.0
#: Seconds at least between two: clocks do not agree to the microsecond.
LEAST = 0.005


class Keeper:
    """A component. `sweep` ends what ran out and says in how many seconds it is due again."""

    def __init__(self, begin: Callable[[], None], sweep: Callable[[], float | None]) -> None:
        self._begin = begin
        self._sweep = sweep
        self._changed = threading.Condition()
        self._due: float | None = None  #: by time.monotonic()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="claims", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self.within(0)

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def within(self, seconds: float) -> None:
        """Sweep then, unless it is due before."""
        due = time.monotonic() + max(seconds, LEAST)
        with self._changed:
            if self._due is None or due < self._due:
                self._due = due
                self._changed.notify()

    def _run(self) -> None:
        try:
            self._begin()
        except ZdriverError as error:
            log.warning("claims of before cannot be looked after: %s", error.message)
        while self._next():
            try:
                due = self._sweep()
            except ZdriverError as error:
                log.warning("leases cannot be ended: %s", error.message)
                due = RETRY
            except Exception:
                log.exception("ending leases")
                due = RETRY
            if due is not None:
                self.within(due)

    def _next(self) -> bool:
        """Wait until it is due; False at the end."""
        with self._changed:
            while not self._stopping:
                left = None if self._due is None else self._due - time.monotonic()
                if left is not None and left <= 0:
                    self._due = None
                    return True
                self._changed.wait(left)
            return False
