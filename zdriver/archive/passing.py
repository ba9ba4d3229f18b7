"""One run: everything that the archive does not have yet goes there.

The first pass goes through each table by its key. From then on the event log says what changed
(`archive/naming.py`). What is noted as forgotten is done first, and last once more: what was read a
moment before it was forgotten must not stay there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from zdriver.archive.forgetting import forget
from zdriver.archive.model import Committed, Counts, Said, Settled
from zdriver.archive.rows import CLAIMS, ENTRIES, EVENTS, SNAPSHOTS, Table, Values
from zdriver.archive.source import Source
from zdriver.archive.target import State, Target
from zdriver.storage.port import Row

#: Rows that go into one transaction of the first pass, and events that are looked at in one later.
BATCH = 10_000
PAGE = 500
OWED = 200

#: The stages of the first pass: table, statement, column of its key, and the key before all others.
_STAGES: tuple[tuple[str, Table, str, int | str], ...] = (
    ("entries", ENTRIES, "seq", 0),
    ("claims", CLAIMS, "id", ""),
    ("events", EVENTS, "sequence", 0),
)


class Pass:
    """Who makes one leads (`Target.lead`)."""

    def __init__(self, source: Source, target: Target, tell: Callable[[Said], None]) -> None:
        """tell  what is confirmed is said at once"""
        self._source = source
        self._target = target
        self._tell = tell
        self.rows = Counts()
        self.forgotten = 0
        self._settled: set[int] = set()  #: `seq` of what was forgotten, and told to the daemon
        self.whole = False  #: whether it was (the rest of) a first pass

    def run(self) -> int:
        """The newest event that is there now. Raises what store and archive raise."""
        self.forget()
        state = self._begin()
        if state.stage:
            self._first(state)
            self.whole = True
        cursor = self._changes()
        self._snapshots()
        self.forget()
        return cursor

    def forget(self) -> None:
        """What is owed, and nothing else. Raises what store and archive raise."""
        after = 0
        while owed := self._source.all("archive.owed", after=after, limit=OWED):
            after = int(owed[-1]["seq"])
            # What is told is deleted by the daemon, sooner or later.
            fresh = [row for row in owed if row["seq"] not in self._settled]
            if not fresh:
                continue
            forget(self._target, fresh, lambda sequence: self._source.one("archive.event", sequence=sequence))
            self.forgotten += len({row["id"] for row in fresh if row["kind"] in ("entry", "context")})
            self._settled.update(row["seq"] for row in fresh)
            self._tell(Settled(tuple(row["seq"] for row in fresh)))

    def _begin(self) -> State:
        """Where to go on from. A store that lost what the archive has begins anew, under its old id."""
        state = self._target.state()
        if state.stage:
            known = not state.until or self._source.is_at(state.until, state.until_event)
        else:
            known = not state.cursor or self._source.is_at(state.cursor, state.event)
        if state.stage == "begin" or not known:
            until, id_ = self._source.newest()
            first = {"cursor": 0, "event": "", "stage": _STAGES[0][0], "reached": ""}
            self._target.settle(**first, until=until, until_event=id_)
            return self._target.state()
        return state

    # -- the first pass --------------------------------------------------------------------

    def _first(self, state: State) -> None:
        names = [stage[0] for stage in _STAGES]
        for name, table, key, lowest in _STAGES[names.index(state.stage) :]:
            begin: int | str = lowest
            if name == state.stage and state.reached:
                begin = type(lowest)(state.reached)
            for values, last in self._pages(name, table, key, begin, state.until):
                self._target.add(table, values, stage=name, reached=str(last))
                self._count(name, len(values))
        self._target.settle(stage="", reached="", cursor=state.until, event=state.until_event)

    def _pages(
        self, name: str, table: Table, key: str, begin: int | str, until: int
    ) -> Iterator[tuple[list[Values], int | str]]:
        """(rows of the archive, key of the last one); the next are made while these are sent."""
        more: dict[str, Any] = {"until": until} if name == "events" else {}

        def page(after: int | str) -> tuple[list[Values], int | str]:
            rows = self._source.all(f"archive.{name}", after=after, limit=BATCH, **more)
            return _values(table, rows), rows[-1][key] if rows else after

        with ThreadPoolExecutor(1, thread_name_prefix="reading") as ahead:
            coming = ahead.submit(page, begin)
            while True:
                values, last = coming.result()
                if not values:
                    return
                coming = ahead.submit(page, last)
                yield values, last

    # -- later ones ------------------------------------------------------------------------

    def _changes(self) -> int:
        """What happened up to now; what happens meanwhile is the next run's."""
        cursor, (until, _) = self._target.state().cursor, self._source.newest()
        while events := self._source.all("archive.events", after=cursor, until=until, limit=PAGE):
            entries, claims = self._source.with_named(events)
            batches = [
                (EVENTS, _values(EVENTS, events)),
                (ENTRIES, _values(ENTRIES, entries)),
                (CLAIMS, _values(CLAIMS, claims)),
            ]
            cursor, id_ = int(events[-1]["sequence"]), str(events[-1]["id"])
            self._target.merge(batches, cursor=cursor, event=id_)
            self._count("events", len(events), entries=len(entries), claims=len(claims))
        return cursor

    def _snapshots(self) -> None:
        """New ones, and those that changed: few enough are kept that all are compared."""
        after = 0
        while rows := self._source.all("archive.snapshots", after=after, limit=PAGE):
            after = int(rows[-1]["generation"])
            known = self._target.snapshots([int(row["generation"]) for row in rows])
            changed = [row for row in rows if _told(row) not in known]
            if changed:
                self._target.merge([(SNAPSHOTS, _values(SNAPSHOTS, changed))])
                self._count("snapshots", len(changed))

    def _count(self, kind: str, number: int, **more: int) -> None:
        counted = Counts(**{kind: number}, **more)
        self.rows = self.rows.plus(counted)
        self._tell(Committed(counted))


def _values(table: Table, rows: Sequence[Row]) -> list[Values]:
    return [table.values(row) for row in rows]


def _told(row: Row) -> tuple[Any, ...]:
    """Which snapshot, and what of it may change: the columns of `Target.snapshots`."""
    generation, taken_at, _, session, root, _, _, _, pinned, digest, _ = SNAPSHOTS.values(row)
    return generation, taken_at, session, root, pinned, digest


def pending(source: Source, target: Target) -> Counts:
    """What a run would write, without writing anything."""
    state, (until, _) = target.state(), source.newest()
    if state.stage:
        counted = source.one("archive.count")
        return Counts() if counted is None else Counts(**counted)
    seen: dict[str, set[str]] = {"entries": set(), "claims": set()}
    cursor, events = state.cursor, 0
    while page := source.all("archive.events", after=cursor, until=until, limit=PAGE):
        cursor, events = int(page[-1]["sequence"]), events + len(page)
        for kind, rows in zip(seen, source.with_named(page), strict=True):
            seen[kind].update(str(row["id"]) for row in rows)
    return Counts(events=events, entries=len(seen["entries"]), claims=len(seen["claims"]))
