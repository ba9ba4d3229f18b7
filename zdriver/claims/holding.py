"""Beating for a claim in the background."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from zdriver.claims import rules
from zdriver.claims.api import ClaimsApi
from zdriver.claims.model import Claim
from zdriver.core.clock import now_us, to_datetime
from zdriver.core.errors import Conflict, InvalidInput, NotFound, ZdriverError

#: Seconds between two tries while the daemon does not answer.
AGAIN = 1.0


class Held:
    """A claim that is kept while this is entered. `lost` says why it is not any more."""

    def __init__(
        self,
        claim: Claim,
        another: Callable[[], AbstractContextManager[ClaimsApi]],
        tell: Callable[[ZdriverError], None],
        *,
        lease: float,
    ) -> None:
        self.claim = claim
        self.lost: ZdriverError | None = None
        self._another = another
        self._tell = tell
        self._lease = lease
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="claim", daemon=True)

    @property
    def token(self) -> int:
        return self.claim.token

    def check(self) -> None:
        """Raises what took the claim away."""
        if self.lost is not None:
            raise type(self.lost)(self.lost.message, hint=self.lost.hint)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _beat(self) -> None:
        """A daemon that is away is asked again until the lease has run out, and started if need be."""
        sure = time.monotonic()
        pause = self._lease / rules.BEATS
        with self._another() as claims:
            while self.lost is None and not self._end.wait(pause):
                asked = time.monotonic()
                try:
                    self.claim = claims.beat(self.claim.id, lease=self._lease)
                    sure, pause = asked, self._lease / rules.BEATS
                except (Conflict, NotFound, InvalidInput) as error:
                    self._is_lost(error)
                except ZdriverError as error:
                    pause = min(AGAIN, self._lease / rules.BEATS)
                    if asked - sure > self._lease:
                        self._is_lost(self._unsure(error))

    def _is_lost(self, error: ZdriverError) -> None:
        if not self._end.is_set():
            self.lost = error
            self._tell(error)

    def _unsure(self, error: ZdriverError) -> Conflict:
        ran_out = rules.clock(self.claim.expires_at, to_datetime(now_us()))
        return Conflict(
            f"the claim on {self.claim.worktree} ran out at {ran_out}: {error.message}",
            hint=error.hint or "look at `zdriver daemon status`, then claim it again",
        )
