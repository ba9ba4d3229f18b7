"""The nouns of an import, as they stand on the wire and in `--json`."""

from __future__ import annotations

import msgspec


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """Something of the other tool that was not taken over."""

    what: str
    reason: str


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A worktree that was taken over; in a dry run: that would be."""

    name: str
    type: str
    branch: str
    path: str
    repo: str
    agent: str = ""  #: who had it there
    claimed: bool = False  #: and works in it: it is held for that one until its lease ends
    milestones: int = 0


class TakenContext(msgspec.Struct, frozen=True, kw_only=True):
    """A context that has, in a dry run would have, more in it."""

    root: str
    zellij_session: str
    intent: str  #: "" where it has none, or one of its own
    milestones: int


class ImportedContexts(msgspec.Struct, frozen=True, kw_only=True):
    source: str  #: the URL, without its password
    contexts: tuple[TakenContext, ...] = ()
    snapshots: int = 0  #: generations of panes
    known: int = 0  #: milestones that were taken over before
    unread: tuple[Unread, ...] = ()
    dry_run: bool = False


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    sources: tuple[str, ...]  #: files that were read
    worktrees: tuple[Taken, ...] = ()
    types: tuple[str, ...] = ()  #: own types that were added
    known: int = 0  #: worktrees that are registered already: left as they are
    unread: tuple[Unread, ...] = ()
    dry_run: bool = False
