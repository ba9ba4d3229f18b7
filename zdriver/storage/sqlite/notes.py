"""Who listens in this process: no other one uses the store."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)

Heard = Callable[[str], None]


class Notes:
    """Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: dict[str, tuple[Heard, ...]] = {}

    def listen(self, channel: str, heard: Heard) -> Callable[[], None]:
        """`Store.listen`. Nothing is ever missed here."""
        with self._lock:
            self._heard[channel] = (*self._heard.get(channel, ()), heard)

        def end() -> None:
            with self._lock:
                self._heard[channel] = tuple(each for each in self._heard[channel] if each is not heard)

        return end

    def tell(self, notes: Iterable[tuple[str, str]]) -> None:
        """After the commit, on the writer's thread."""
        for channel, text in notes:
            for heard in self._heard.get(channel, ()):
                try:
                    heard(text)
                except Exception:
                    log.exception("what was heard on %s failed", channel)
