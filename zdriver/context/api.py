"""What can be asked of the context services: the same in-process, over the socket and on the wire.

A method `set_intent` of the service named `context` is the RPC method `context.set_intent`,
its parameters by name. Services implement these; `rpc.client` makes proxies of them.
Every mutating method takes `request`, an id that makes a repeated call give the first
answer again (kept 24 h); "" means: make one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from zdriver.context.model import (
    Context,
    Entry,
    Forgotten,
    Intent,
    Kind,
    Meant,
    Milestone,
    Place,
    RestorePlan,
    RestoreReport,
    SnapshotContent,
    SnapshotInfo,
    Source,
    Status,
    UndoReport,
)


class ContextApi(Protocol):
    """Intents and milestones. Service name: `context`."""

    def set_intent(
        self, text: str, *, place: Place, source: Source = "manual", request: str = ""
    ) -> Intent: ...

    def intent(self, *, place: Place) -> Intent | None: ...

    def clear_intent(self, *, place: Place, request: str = "") -> Intent | None:
        """Close the current intent; it stays in the history. Returns it, or None."""
        ...

    def record_milestone(
        self,
        text: str,
        *,
        place: Place,
        kind: Kind = "milestone",
        artifacts: tuple[str, ...] = (),
        source: Source = "manual",
        request: str = "",
    ) -> Milestone: ...

    def undo_milestone(self, *, place: Place, request: str = "") -> Milestone:
        """Take back the newest milestone of this context. Raises NotFound."""
        ...

    def milestones(self, *, place: Place, limit: int = 20) -> list[Milestone]:
        """Newest first."""
        ...

    def history(
        self,
        query: str = "",
        *,
        since: datetime | None = None,
        context: str = "",
        repo: str = "",
        limit: int = 50,
        before: str = "",
    ) -> list[Entry]:
        """Newest first. `before` is the id of the last entry of the page before.

        `context` is an id or its end; `repo` a path below which the roots lie.
        """
        ...

    def meant(self, ids: tuple[str, ...]) -> list[Meant]:
        """What `forget` of the same ids would delete. Each once. Raises NotFound, Ambiguous."""
        ...

    def forget(self, ids: tuple[str, ...], *, request: str = "") -> Forgotten:
        """Delete intents, milestones or contexts (with all that is in them) for good."""
        ...

    def contexts(self, *, root: str = "") -> list[Context]: ...

    def status(self, *, place: Place) -> Status: ...


class SnapshotApi(Protocol):
    """Generations of panes. Service name: `snapshot`. `generation` 0 means the newest."""

    def list(
        self, *, zellij_session: str = "", root: str = "", limit: int = 50
    ) -> tuple[SnapshotInfo, ...]: ...

    def show(self, generation: int = 0, *, zellij_session: str = "") -> SnapshotContent: ...

    def save(self, *, place: Place, pin: bool = False, request: str = "") -> SnapshotInfo:
        """Take one now. Raises Unavailable when no plugin of that Zellij session is connected."""
        ...

    def pin(self, generation: int, *, pinned: bool = True) -> SnapshotInfo: ...


class RestoreApi(Protocol):
    """Bringing a snapshot back into a Zellij session. Service name: `restore`.

    What is done in Zellij is no transaction: a daemon that is killed in the middle of it has no
    first answer to give, and the same `request` does it again. For `apply` that makes only the
    panes that are not there yet.
    """

    def plan(self, generation: int = 0, *, place: Place) -> RestorePlan: ...

    def apply(
        self, generation: int = 0, *, place: Place, replace: bool = False, request: str = ""
    ) -> RestoreReport: ...

    def undo(self, *, place: Place, request: str = "") -> UndoReport: ...

    def dismiss(self, *, place: Place) -> None: ...
