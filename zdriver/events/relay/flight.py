"""Which events of a batch may be on their way, and what became of each. Pure: bytes are moved elsewhere.

A window bounds how many wait for their confirmation. Of an aggregate there is only one at a time: a
broker may refuse one message and take the next, and then the order would be lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from zdriver.events.sinks import Outcome, Outgoing, Refused


class Flight:
    def __init__(self, events: Sequence[Outgoing], window: int) -> None:
        lanes: dict[str, deque[Outgoing]] = {}
        for event in events:
            lanes.setdefault(event.aggregate, deque()).append(event)
        self._lanes = lanes
        self._ready = deque(lanes.values())  #: lanes of which nothing is on its way
        self._window = window
        #: delivery tag → event and when it was sent (s), oldest first
        self._under_way: dict[int, tuple[Outgoing, float]] = {}
        self._returned: dict[str, str] = {}  #: event's id → why, until its confirmation comes
        self._accepted: list[int] = []
        self._refused: list[Refused] = []
        self._left = len(lanes)
        self._halted = False

    @property
    def done(self) -> bool:
        """Nothing will be sent any more, and everything that was is confirmed or refused."""
        return not self._left or (self._halted and not self._under_way)

    def halt(self) -> None:
        """Send nothing more; what is on its way may still arrive."""
        self._halted = True

    @property
    def under_way(self) -> list[int]:
        """Sequences that wait for their confirmation."""
        return [event.sequence for event, _ in self._under_way.values()]

    def next(self) -> Outgoing | None:
        """What to send now; `sent` or `refuse` is called for it before the next call."""
        if self._halted or not self._ready or len(self._under_way) >= self._window:
            return None
        return self._ready[0][0]

    def sent(self, tag: int, at: float) -> None:
        """The event of `next` is on its way."""
        self._under_way[tag] = (self._ready.popleft().popleft(), at)

    def refuse(self, error: str) -> None:
        """The event of `next` cannot even be sent."""
        event = self._ready.popleft()[0]
        self._end(Refused(sequence=event.sequence, error=error, never=True))

    def returned(self, id_: str, why: str) -> None:
        """The broker has no queue for it, which it says before it confirms."""
        self._returned[id_] = why

    def confirmed(self, tag: int, *, multiple: bool, refusal: str = "") -> float | None:
        """An answer to this one, or to all up to it; when the newest of them was sent (s)."""
        newest = None
        for each in self._meant(tag, multiple):
            event, newest = self._under_way.pop(each)
            why = self._returned.pop(event.id, refusal)
            if why:
                self._end(Refused(sequence=event.sequence, error=why))
                continue
            self._accepted.append(event.sequence)
            lane = self._lanes[event.aggregate]
            if lane:
                self._ready.append(lane)
            else:
                self._left -= 1
        return newest

    def blame(self, error: str, *, never: bool) -> None:
        """The connection was ended because of the only event that was on its way."""
        ((event, _),) = self._under_way.values()
        self._under_way.clear()
        self._end(Refused(sequence=event.sequence, error=error, never=never))

    def outcome(self, broken: str = "") -> Outcome:
        return Outcome(accepted=tuple(self._accepted), refused=tuple(self._refused), broken=broken)

    def _meant(self, tag: int, multiple: bool) -> list[int]:
        if not multiple:
            return [tag] if tag in self._under_way else []
        meant = []
        for each in self._under_way:  # in the order in which they were sent
            if each > tag:
                break
            meant.append(each)
        return meant

    def _end(self, refused: Refused) -> None:
        self._refused.append(refused)
        self._left -= 1
