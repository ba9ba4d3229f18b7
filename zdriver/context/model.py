"""The nouns of a context, as they stand in the store, on the wire and in `--json`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from zdriver.context.layout import Layout

#: Who wrote it down.
Source = Literal["manual", "automated", "agent"]
Kind = Literal["milestone", "checkpoint", "exploration"]

#: Reasons of generations that were seen elsewhere: on another machine; here, but the journal lost them;
#: by another tool.
TAKEN_OVER, TAKEN_BACK, IMPORTED = "taken-over", "taken-back", "imported"

TEXT_MAX = 10_000  #: characters in an intent or a milestone


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a command was given; which context it means is decided from this."""

    cwd: str = ""  #: absolute path
    zellij_session: str = ""  #: "" outside Zellij
    context: str = ""  #: id, or unique end of an id, named by the user


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What goes on at one root in one Zellij session (or outside of Zellij)."""

    id: str
    zellij_session: str  #: "" outside Zellij
    root: str  #: absolute path of the worktree, else of the folder


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    text: str
    source: Source
    set_at: datetime
    context: Context


class Milestone(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    text: str
    kind: Kind
    artifacts: tuple[str, ...]
    commit: str | None  #: 40 hex digits of HEAD when it was recorded
    recorded_at: datetime
    intent_id: str | None
    source: Source
    context: Context


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of history: an intent or a milestone."""

    id: str
    type: Literal["intent", "milestone"]
    text: str
    kind: Kind | None
    artifacts: tuple[str, ...]
    commit: str | None
    at: datetime
    source: Source
    context: Context


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What the status line of one root shows."""

    root: str
    context: str = ""  #: id, "" when there is none yet
    intent: str = ""
    intent_at: datetime | None = None
    milestone: str = ""
    milestone_at: datetime | None = None


class Meant(msgspec.Struct, frozen=True, kw_only=True):
    """What an id means: an entry, or a context; and all that goes when it is forgotten."""

    id: str
    entry: Entry | None  #: None: the context itself
    context: Context
    at: datetime | None  #: of the entry, or of the context's newest one
    intents: int
    milestones: int
    snapshots: int


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    intents: int
    milestones: int
    snapshots: int
    #: "done": the archive has forgotten it, too; "owed": it will, when it answers; "": there is none
    archive: Literal["", "done", "owed"] = ""


class SnapshotInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One generation of a Zellij session's panes, without its content."""

    generation: int  #: grows by one per store, over all Zellij sessions
    zellij_session: str
    root: str
    taken_at: datetime
    reason: str  #: "change", "manual", "before-replace", "taken-over" …
    tabs: int
    panes: int
    pinned: bool
    digest: str  #: SHA-256 of the normalised layout


class SnapshotContent(msgspec.Struct, frozen=True, kw_only=True):
    info: SnapshotInfo
    layout: Layout


Action = Literal["run", "suspended", "shell", "resume", "keep", "skip"]


class PanePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What shall become of one pane, and why."""

    tab: str
    name: str
    cwd: str
    command: tuple[str, ...]  #: argv, empty for a shell
    action: Action
    reason: str
    tab_index: int  #: position of the tab in the snapshot, from 0
    pane_index: int  #: position among the tab's terminal panes: tiled in order, then floating


class RestorePlan(msgspec.Struct, frozen=True, kw_only=True):
    zellij_session: str  #: the one the snapshot was taken of
    generation: int  #: 0: it was left on another machine, and is no generation of this one yet
    panes: tuple[PanePlan, ...]


class PaneFailure(msgspec.Struct, frozen=True, kw_only=True):
    tab: str
    name: str
    reason: str


class RestoreReport(msgspec.Struct, frozen=True, kw_only=True):
    """Planned against actual."""

    id: str  #: names this restore for `--undo`
    zellij_session: str  #: the one restored into
    generation: int
    panes: tuple[PanePlan, ...]
    restored: int
    failed: tuple[PaneFailure, ...]
    before: int = 0  #: generation of what was closed for it; 0: nothing was


class UndoReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an undo closed, and what it left because somebody uses it."""

    restore: str
    closed: int
    kept: tuple[str, ...]  #: "tab 2 · pane editor: vim runs in it"
