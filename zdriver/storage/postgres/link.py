"""How the way to the server is: what is known from the calls that went over it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from zdriver.core.clock import now_us
from zdriver.core.engines import Address, EngineHealth, Role
from zdriver.core.errors import ZdriverError

#: Seconds after which a server that is down is no longer waited for: every call fails at once, and one
#: in `RETRY` seconds tries again.
PATIENCE = 2.0
RETRY = 0.5
#: ms from which an answer is slow.
SLOW = 250.0


class Link:
    """Thread-safe."""

    def __init__(self, address: Address, role: Role) -> None:
        self.address = address
        self._role = role
        self._lock = threading.Lock()
        self._since = datetime.now(UTC)
        self._slow = False
        self._down: ZdriverError | None = None
        self._down_at = 0.0  #: time.monotonic()
        self._tried_at = 0.0
        self._version = ""
        self._latency: float | None = None
        self._skew: float | None = None

    def up(self, *, version: int = 0, latency: float | None = None, said: int = 0) -> None:
        """It answered.

        version  `server_version_num`, of a new connection
        latency  seconds
        said     its clock, µs, just now
        """
        with self._lock:
            if version:
                self._version = f"{version // 10000}.{version % 10000}"
            slow = self._slow
            if latency is not None:
                self._latency = latency * 1000
                slow = self._latency >= SLOW
            if said:
                self._skew = (said - now_us()) / 1000
            if self._down is not None or slow != self._slow:
                self._since = datetime.now(UTC)
            self._down, self._slow = None, slow

    def down(self, error: ZdriverError) -> None:
        with self._lock:
            self._tried_at = time.monotonic()
            if self._down is None:
                self._since = datetime.now(UTC)
                self._down_at = self._tried_at
            self._down = error

    def refusal(self) -> ZdriverError | None:
        """Why trying to connect is not worth it now: it is down, and was tried a moment ago."""
        with self._lock:
            down, now = self._down, time.monotonic()
            if down is None or now - self._down_at < PATIENCE or now - self._tried_at >= RETRY:
                return None
            return type(down)(down.message, hint=down.hint)

    def worth_waiting(self) -> bool:
        """It went down only now: a server that was restarted is back soon."""
        with self._lock:
            return self._down is None or time.monotonic() - self._down_at < PATIENCE

    def health(self) -> EngineHealth:
        with self._lock:
            down = self._down
            return EngineHealth(
                engine="postgresql",
                role=self._role,
                setting=self.address.setting,
                address=self.address.shown,
                state="down" if down is not None else "slow" if self._slow else "ok",
                message=down.message if down is not None else self._slowness(),
                hint=down.hint if down is not None else "",
                version=self._version,
                latency_ms=self._latency,
                skew_ms=self._skew,
                since=self._since,
            )

    def _slowness(self) -> str:
        return f"{self.address.setting}: it takes {self._latency:.0f} ms to answer" if self._slow else ""
