"""When what could not be done is tried again. Pure: the time is given, in seconds of any steady clock."""

from __future__ import annotations

#: Seconds until then: at first, for it may have been in the middle of a change; four times as long each
#: time that it fails again; and at most.
FIRST, FACTOR, LONGEST = 1.0, 4.0, 60.0


class Retries:
    """By container. Not thread-safe."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self._pauses: dict[str, float] = {}

    def failed(self, container: str, now: float) -> None:
        """Something could not be done. A trial that is to come already stays when it is: what fails
        again and again in a storm of changes must not put it off.
        """
        if container in self._at:
            return
        pause = self._pauses.get(container, FIRST)
        self._pauses[container] = min(FACTOR * pause, LONGEST)
        self._at[container] = now + pause

    def done(self, container: str) -> None:
        """Nothing failed: the next failure is a first one."""
        self._pauses.pop(container, None)

    def next(self) -> float | None:
        return min(self._at.values(), default=None)

    def due(self, now: float) -> tuple[str, ...]:
        """To be tried now; each is told once."""
        found = tuple(container for container, at in self._at.items() if at <= now)
        for container in found:
            del self._at[container]
        return found
