"""Which events go next: in the order of the log, but none before an earlier one of its aggregate.

What is read from the log is given out at once; only where an aggregate has to wait is remembered, so
however much piles up, it costs no memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from zdriver.events.relay.book import Book, Held, Refusal
from zdriver.events.relay.rules import NEVER, next_at
from zdriver.events.sinks import Outcome, Outgoing

#: Events read at once: about a millisecond of the interpreter.
PAGE = 500
#: Events in one batch. At its end the window runs empty once, so it is several windows long.
BATCH = 2000
#: Events of one aggregate in it: they go one after the other.
OF_ONE = 100


class _Lane(msgspec.Struct):
    """An aggregate that is behind: the scan leaves it out."""

    from_seq: int  #: its first event that is still to go
    until: int = 0  #: µs; before that nothing of it goes
    before: int = 0  #: events accepted until its first one was refused


class Backlog:
    """For one thread."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._scanned = 0  #: everything up to here was given out, or is in a lane
        self._lanes: dict[str, _Lane] = {}
        self._accepted = 0

    def reset(self) -> None:
        """Begin anew with what the store says."""
        self._scanned = 0
        before = {aggregate: lane.before for aggregate, lane in self._lanes.items()}
        self._lanes = {
            each.aggregate: _held(each, before.get(each.aggregate, self._accepted))
            for each in self._book.held()
        }

    def next(self) -> list[Outgoing]:
        """The next batch; [] when nothing is due."""
        batch: dict[int, Outgoing] = {}
        for aggregate in self._due():
            if len(batch) > BATCH - PAGE - OF_ONE:
                break  # room for a page of what is new
            for event in self._more_of(aggregate):
                batch[event.sequence] = event
        while len(batch) < BATCH:
            limit = min(PAGE, BATCH - len(batch))
            found = self._book.after(self._scanned, limit)
            self._take(found, batch)
            if len(found) < limit:
                break
        if not batch and self._book.newest() < self._scanned:
            self._scanned = 0  # another log: the store was recovered
        return list(batch.values())

    def settled(self, batch: Sequence[Outgoing], outcome: Outcome, chance: float) -> list[Refusal]:
        """Take note of what became of a batch; what the store is to know of the refused."""
        self._accepted += len(outcome.accepted)
        if not outcome.refused:
            return []
        now, by_sequence = self._book.now(), {event.sequence: event for event in batch}
        refusals = []
        for refused in outcome.refused:
            event = by_sequence.get(refused.sequence)
            if event is None:
                continue  # a plugin's mistake
            lane = self._lanes.get(event.aggregate)
            before = self._accepted if lane is None or not event.attempts else lane.before
            due = next_at(refused, event.attempts + 1, others=self._accepted > before, now=now, chance=chance)
            aside = due == NEVER
            self._lanes[event.aggregate] = _Lane(
                event.aggregate_seq + aside, 0 if aside else due, self._accepted if aside else before
            )
            refusals.append(
                Refusal(
                    sequence=event.sequence, attempts=event.attempts + 1, next_at=due, error=refused.error
                )
            )
        return refusals

    def wait(self) -> float | None:
        """Seconds until an aggregate that waits is due; None when none does."""
        if not self._lanes:
            return None
        earliest = min(lane.until for lane in self._lanes.values())
        return max(0.0, (earliest - self._book.now()) / 1_000_000)

    def _due(self) -> list[str]:
        if not self._lanes:
            return []
        now = self._book.now()
        return [aggregate for aggregate, lane in self._lanes.items() if lane.until <= now]

    def _more_of(self, aggregate: str) -> list[Outgoing]:
        """The next of an aggregate that is behind. It is no lane any more when that is all."""
        lane = self._lanes[aggregate]
        found = self._book.of_aggregate(aggregate, lane.from_seq, OF_ONE)
        if len(found) == OF_ONE or (found and found[0].attempts):
            self._lanes[aggregate] = _Lane(found[-1].aggregate_seq + 1, 0, lane.before)
        else:
            del self._lanes[aggregate]
        return found

    def _take(self, found: Sequence[Outgoing], batch: dict[int, Outgoing]) -> None:
        counts: dict[str, int] = {}
        for event in found:
            self._scanned = event.sequence
            if event.sequence in batch or event.aggregate in self._lanes:
                continue
            counts[event.aggregate] = counts.get(event.aggregate, 0) + 1
            if counts[event.aggregate] > OF_ONE:
                self._lanes[event.aggregate] = _Lane(event.aggregate_seq)
                continue
            batch[event.sequence] = event


def _held(each: Held, before: int) -> _Lane:
    return _Lane(each.aggregate_seq, each.until, before)
