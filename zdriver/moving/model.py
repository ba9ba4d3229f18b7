"""The nouns of moving."""

from __future__ import annotations

import msgspec


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """What one table holds: equal sums, equal rows, in whatever order they come."""

    rows: int
    digest: str  #: the rows' SHA-256, added up; 64 hex digits


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What `zdriver migrate` did; of a dry run, what it would do."""

    store: str  #: id of the store, which it keeps
    source: str  #: the SQLite file
    target: str  #: the database, without secrets
    tables: dict[str, Sum]  #: as they are there now, and were here
    rows: int
    resumed: bool = False  #: an earlier one was stopped in the middle; this one went on
    known: bool = False  #: all of it was there already
    dry_run: bool = False
    seconds: float = 0.0
