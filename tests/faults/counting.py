"""What was told to be done against what is there. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct

#: (type of the event, what is unique about the operation: its text, an agent, a claim's id, a name)
Mark = tuple[str, str]


class Count(Struct, frozen=True):
    """One place that was looked at."""

    found: int  #: of the acknowledged
    doubled: int  #: there more than once, acknowledged or not
    lost: int  #: acknowledged and not there


def count(acknowledged: Iterable[Mark], there: Mapping[Mark, int]) -> Count:
    """Each mark is that of one operation."""
    marks = set(acknowledged)
    found = sum(mark in there for mark in marks)
    return Count(found, sum(times > 1 for times in there.values()), len(marks) - found)


class Seen(NamedTuple):
    """An event as a consumer saw it."""

    id: str
    mark: Mark


def marks(seen: Iterable[Seen]) -> Counter[Mark]:
    """How many different events there are of each mark; the same one again is no second one."""
    return Counter(mark for _id, mark in {*seen})


def repeated(seen: list[Seen]) -> int:
    """How many messages were sent again."""
    return len(seen) - len({each.id for each in seen})


def disordered(seen: Iterable[str], order: Mapping[str, tuple[str, int]]) -> int:
    """How many events came before an earlier one of their aggregate; only first sights count.

    seen   ids of events, as they came
    order  id → (aggregate, place within it), as they were committed
    """
    newest: dict[str, int] = {}
    wrong, known = 0, set[str]()
    for id_ in seen:
        if id_ in known or id_ not in order:
            continue
        known.add(id_)
        aggregate, place = order[id_]
        wrong += place < newest.get(aggregate, 0)
        newest[aggregate] = max(place, newest.get(aggregate, 0))
    return wrong


class Hold(NamedTuple):
    """One claim, as the store's table has it; times in µs by the store's clock."""

    work: str
    token: int
    begun: int
    ended: int | None


def held_twice(holds: Iterable[Hold]) -> int:
    """How many claims began while another agent had the same work, or got a token that was given before."""
    wrong = 0
    newest: dict[str, Hold] = {}
    for hold in sorted(holds, key=lambda each: (each.work, each.token)):
        before = newest.get(hold.work)
        if before is not None:
            overlaps = before.ended is None or before.ended > hold.begun
            wrong += overlaps or before.token == hold.token
        newest[hold.work] = hold
    return wrong


class Result(Struct, frozen=True, kw_only=True):
    """One row of the table."""

    name: str
    title: str
    engine: str
    asked: int
    acknowledged: int
    refused: int  #: a definite no: somebody else has the claim
    unanswered: int  #: given up
    repeated_calls: int
    store: Count
    log: Count
    broker: Count
    sent_again: int
    broker_disordered: int
    audit: Count
    audit_disordered: int
    archive: Count
    contexts: int
    held_twice: int  #: claims of what somebody else held
    stale: int  #: contexts whose hot copy is not what was said last
    seconds: float
    notes: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()  #: what of the trial itself went wrong: then it shows nothing

    @property
    def places(self) -> dict[str, Count]:
        return {
            "store": self.store,
            "event log": self.log,
            "broker": self.broker,
            "audit": self.audit,
            "archive": self.archive,
        }

    @property
    def lost(self) -> int:
        return sum(place.lost for place in self.places.values())

    @property
    def doubled(self) -> int:
        return sum(place.doubled for place in self.places.values())

    @property
    def wrong(self) -> int:
        """0: all is as it should be."""
        disorder = self.broker_disordered + self.audit_disordered
        counted = self.lost + self.doubled + disorder + self.held_twice + self.stale + self.unanswered
        return counted + len(self.broken) + self.unasked

    @property
    def unasked(self) -> int:
        """Operations that no client came to: its thread ended before."""
        return self.asked - self.acknowledged - self.refused - self.unanswered
