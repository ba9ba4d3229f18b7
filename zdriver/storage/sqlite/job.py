"""One piece of work for the writer, and the caller who waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from zdriver.core.errors import Unavailable
from zdriver.storage.port import Transaction


class Job:
    """A unit to run in the next batch; or, with `alone`, a function to run between batches."""

    __slots__ = (
        "_claimed",
        "_done",
        "alone",
        "digest",
        "error",
        "request",
        "result",
        "unit",
        "urgent",
        "value",
    )

    def __init__(
        self,
        unit: Callable[[Transaction], Any] | None = None,
        *,
        alone: Callable[[], Any] | None = None,
        request: str = "",
        digest: str = "",
        result: Any = None,
        urgent: bool = False,
    ) -> None:
        self.unit = unit
        self.alone = alone
        self.request = request
        self.digest = digest
        self.result = result
        self.urgent = urgent
        self.value: Any = None
        self.error: BaseException | None = None
        self._claimed = threading.Lock()
        self._done = threading.Lock()
        self._done.acquire()

    def claim(self) -> bool:
        """For the writer: False when the caller has given up."""
        return self._claimed.acquire(blocking=False)

    def finish(self) -> None:
        """For the writer, once: the outcome is in `value` or `error`, let the caller go on."""
        self._done.release()

    def fail(self, error: BaseException) -> None:
        self.value, self.error = None, error

    def wait(self, timeout: float) -> Any:
        """The outcome. Raises what the unit raised, or Unavailable after `timeout` seconds."""
        if not self._done.acquire(timeout=timeout):
            if self._claimed.acquire(blocking=False):
                raise Unavailable(
                    f"the store was busy for {timeout:g} s; nothing was saved", hint="do it again"
                )
            # It runs already: its outcome is worth as long again.
            if not self._done.acquire(timeout=timeout):
                raise Unavailable(
                    "the disk does not answer; whether this was saved is not known",
                    hint="check the disk, then do it again with the same request id",
                )
        if self.error is not None:
            raise self.error
        return self.value
