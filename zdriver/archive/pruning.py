"""What may go from the store, once the archive has it. Nothing does unless `archive.keep_days` is set.

Two hands: the worker finds rows that are old enough and asks the archive for each of them; the daemon
deletes those, unless something happened to them meanwhile. What stays, however old it is:

- what is current: the intent of a context, the claim of a worktree, the newest milestones that are shown;
- the newest event of each aggregate, which numbers the next one;
- events that a sink has not had yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from zdriver.archive.model import Counts, Prunable, Said
from zdriver.archive.rows import CLAIMS, ENTRIES, EVENTS
from zdriver.archive.source import Source
from zdriver.storage.port import Transaction

if TYPE_CHECKING:  # the daemon imports this module, and no driver with it
    from zdriver.archive.target import Target

PAGE = 500
#: Milestones of a context that stay: what `zdriver milestone` lists.
KEPT = 20


def find(source: Source, target: Target, *, cursor: int, before: int, tell: Callable[[Said], None]) -> None:
    """Tell what the archive has, of what is older than `before` (µs).

    cursor  the newest event that is there
    """
    entries, claims, events = 0, "", 0
    while True:
        old = source.all("archive.old_entries", after=entries, before=before, kept=KEPT, limit=PAGE)
        ended = source.all("archive.old_claims", after=claims, before=before, limit=PAGE)
        told = source.all("archive.old_events", after=events, cursor=cursor, before=before, limit=PAGE)
        if not (old or ended or told):
            return
        entries = int(old[-1]["seq"]) if old else entries
        claims = str(ended[-1]["id"]) if ended else claims
        events = int(told[-1]["sequence"]) if told else events
        there = target.having(ENTRIES, "id", [row["id"] for row in old])
        claimed = target.having(CLAIMS, "id", [row["id"] for row in ended])
        logged = target.having(EVENTS, "id", [row["id"] for row in told])
        tell(
            Prunable(
                cursor=cursor,
                entries=tuple(int(row["seq"]) for row in old if row["id"] in there),
                claims=tuple(str(row["id"]) for row in ended if row["id"] in claimed),
                events=tuple(int(row["sequence"]) for row in told if row["id"] in logged),
            )
        )


def prune(tx: Transaction, of: Prunable) -> Counts:
    """Delete them, but for what was touched since: that is not in the archive as it is now."""
    entries = claims = 0
    for seq in of.entries:
        if tx.run("archive.prune_entry", seq=seq, cursor=of.cursor):
            tx.run("search.remove", seq=seq)
            entries += 1
    for id_ in of.claims:
        claims += tx.run("archive.prune_claim", id=id_)
    events = sum(tx.run("archive.prune_event", sequence=sequence) for sequence in of.events)
    return Counts(entries=entries, claims=claims, events=events)
