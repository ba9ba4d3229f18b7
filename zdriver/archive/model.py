"""The nouns of the archive."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from zdriver.context.model import Entry


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by kind."""

    entries: int = 0  #: intents and milestones
    snapshots: int = 0
    claims: int = 0
    events: int = 0

    def plus(self, other: Counts) -> Counts:
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in KINDS})

    @property
    def total(self) -> int:
        return sum(getattr(self, name) for name in KINDS)


KINDS: tuple[str, ...] = Counts.__struct_fields__


class Archived(msgspec.Struct, frozen=True, kw_only=True):
    """What one run did; of a dry run, what it would do."""

    archive: str  #: id of the archive
    store: str  #: id of the store
    rows: Counts  #: written there
    forgotten: int = 0  #: things that were forgotten here, and now are there
    pruned: Counts = Counts()  #: taken away here, after the archive confirmed them
    behind: int = 0  #: events that are not there yet
    archived_at: datetime | None = None  #: since when everything is there
    seconds: float = 0.0
    dry_run: bool = False
    elsewhere: bool = False  #: another daemon is at it: nothing was done here


class ArchivedEntry(Entry, frozen=True, kw_only=True):
    """One line of history, and whose it is."""

    host: str  #: what the machine calls itself, else its id
    repo: str  #: its remote, in the one form of all ways to write it; "" where there is none
    store: str


# -- what the worker says: one JSON line each ------------------------------------------------------

#: What the daemon answers to `Meets`: it has noted the archive, so whatever is forgotten from now on is
#: noted for it.
GO = "go\n"


class Meets(msgspec.Struct, frozen=True, tag="meets"):
    """It speaks to this archive, and sends nothing before it is told to go on."""

    archive: str
    version: str  #: of the server
    latency_ms: float
    skew_ms: float  #: the server's clock less ours


class Committed(msgspec.Struct, frozen=True, tag="committed"):
    """A batch is in the archive, confirmed by its server."""

    rows: Counts


class Settled(msgspec.Struct, frozen=True, tag="settled"):
    """The archive has forgotten these. Not: all up to one. On PostgreSQL an earlier number may come later."""

    seqs: tuple[int, ...]  #: of `archive_owed`


class Confirmed(msgspec.Struct, frozen=True, tag="confirmed"):
    """Everything up to the event `cursor` is in the archive."""

    archive: str
    cursor: int
    archived_at: int  #: µs


class Prunable(msgspec.Struct, frozen=True, tag="prunable"):
    """Rows that are old enough, and that the archive was just asked for one by one: it has them."""

    cursor: int  #: what happened after this event it may not have
    entries: tuple[int, ...] = ()  #: `seq`
    claims: tuple[str, ...] = ()
    events: tuple[int, ...] = ()  #: `sequence`


class Done(msgspec.Struct, frozen=True, tag="done"):
    report: Archived


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    code: str
    message: str
    hint: str


Said = Meets | Committed | Settled | Confirmed | Prunable | Done | Failed


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a worker is started for: to archive, to count what would be, or only to forget what is owed."""

    host: str  #: id of this machine
    what: Literal["run", "count", "forget"] = "run"
    prune_before: int = 0  #: µs: what is older may go here; 0: nothing
    unless_within: float = 0.0  #: nothing is done when everything was there within so many seconds
