"""What can be asked of shared configuration: the same in-process, over the socket and on the wire.

`cwd` is the caller's folder, `agent` who asks: a client fills in those that are left empty. Nothing
here takes a request key: asked twice is asked once. Every method raises NotFound outside of a
repository, InvalidInput that names file and line for a broken `sync/zdriver.toml`, and Unavailable
when sync/ cannot be read; nothing is changed then.
"""

from __future__ import annotations

from typing import Protocol

from zdriver.sync.model import Applied, SyncStatus


class SyncApi(Protocol):
    """Service name: `sync`."""

    def status(self, *, cwd: str = "") -> SyncStatus:
        """How the worktrees of the caller's container stand beside its sync/. Changes nothing."""
        ...

    def apply(self, *, cwd: str = "") -> Applied:
        """Bring every worktree to what sync/ has; what is nobody's of ours is left alone and listed."""
        ...

    def repair(
        self,
        name: str = "",
        *,
        paths: tuple[str, ...] = (),
        force: bool = False,
        token: int = 0,
        cwd: str = "",
        agent: str = "",
    ) -> Applied:
        """The same for one worktree ("": all of them). With `force` files of its own give way at `paths`
        (none given: wherever one is in the way), after a copy of them was put aside.

        token  of the claim, when the caller holds one
        Raises NotFound for one of `paths` that is not shared, Conflict when another agent holds the
        worktree that is named.
        """
        ...
