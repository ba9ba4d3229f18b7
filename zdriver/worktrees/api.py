"""What can be asked of worktrees: the same in-process, over the socket and on the wire.

`cwd` is the caller's folder, `agent` who asks, `env` what git may need of the caller's
environment, `request` an idempotency key: a client fills in those that are left empty.
`name` is a full name (`feat-user-auth`), else a unique short one (`user-auth`), else a path.
Every method raises NotFound outside of a repository.
"""

from __future__ import annotations

from typing import Protocol

from zdriver.worktrees.model import (
    Added,
    Line,
    Merged,
    Prunable,
    Removal,
    Removed,
    Repaired,
    Worktree,
    WorktreeType,
)


class RemovalsApi(Protocol):
    """What takes worktrees away, and brings them back."""

    def remove(
        self,
        name: str,
        *,
        force: bool = False,
        delete_remote: bool = False,
        token: int = 0,
        cwd: str = "",
        agent: str = "",
        env: dict[str, str] | None = None,
        pids: tuple[int, ...] = (),
        request: str = "",
    ) -> Removed:
        """Raises Conflict with every reason against it. `pids`: of the caller, who may stand in it."""
        ...

    def removable(
        self,
        name: str = "",
        *,
        force: bool = False,
        merging: str = "",
        token: int = 0,
        cwd: str = "",
        agent: str = "",
        env: dict[str, str] | None = None,
        pids: tuple[int, ...] = (),
    ) -> Worktree:
        """The worktree, if `remove` would not refuse it now; with `merging` (merge, squash, rebase), if
        `merge` would not. Changes nothing; raises as they do. For what has to be known before hooks run.
        """
        ...

    def removals(self, *, cwd: str = "") -> tuple[Removal, ...]: ...

    def recover(self, removal: str, *, cwd: str = "", agent: str = "", request: str = "") -> Added:
        """Bring back what a removal kept: branch, changes, untracked files."""
        ...

    def prunable(self, *, cwd: str = "") -> tuple[Prunable, ...]: ...

    def prune(
        self, names: tuple[str, ...], *, cwd: str = "", agent: str = "", request: str = ""
    ) -> tuple[Removed, ...]:
        """Remove those of `prunable` that are named; each is checked again."""
        ...

    def merge(
        self,
        name: str = "",
        *,
        how: str = "merge",
        keep: bool = False,
        token: int = 0,
        cwd: str = "",
        agent: str = "",
        env: dict[str, str] | None = None,
        pids: tuple[int, ...] = (),
        request: str = "",
    ) -> Merged:
        """Into its base, locally; `how`: merge, squash or rebase. A conflict leaves all as it was."""
        ...


class WorktreesApi(RemovalsApi, Protocol):
    """Service name: `worktrees`."""

    def add(
        self,
        type: str,
        name: str,
        *,
        base: str = "",
        branch: str = "",
        cwd: str = "",
        agent: str = "",
        env: dict[str, str] | None = None,
        request: str = "",
    ) -> Added:
        """Make it, or find it where it is there already. Raises Conflict, InvalidInput."""
        ...

    def list(self, *, cwd: str = "", conditions: bool = True, all_hosts: bool = False) -> tuple[Line, ...]:
        """Of the caller's repository, the trunk first. `conditions`: ask git how each stands.

        `all_hosts`: then those of its other clones on the same store, by machine; nobody is asked how
        these stand.
        """
        ...

    def show(self, name: str = "", *, cwd: str = "") -> Line:
        """ "" means the one the caller stands in."""
        ...

    def find(self, query: str = "", *, cwd: str = "", previous: str = "") -> tuple[Worktree, ...]:
        """For `go`: best match first; "trunk", "-" (`previous` is a path) and a name are exact."""
        ...

    def used(self, name: str = "", *, cwd: str = "") -> Worktree:
        """Somebody goes there now: `find` without a query has it before those used longer ago."""
        ...

    def adopt(
        self, path: str, *, type: str = "", cwd: str = "", agent: str = "", request: str = ""
    ) -> Worktree:
        """Take in a worktree that was made by other means. It stays where it is."""
        ...

    def repair(self, *, cwd: str = "", agent: str = "", dry_run: bool = False) -> tuple[Repaired, ...]:
        """Finish or roll back what was killed, mend links between git and folders."""
        ...

    def types(self) -> tuple[WorktreeType, ...]: ...

    def add_type(
        self, name: str, *, description: str = "", base: str = "", request: str = ""
    ) -> WorktreeType: ...

    def remove_type(self, name: str, *, request: str = "") -> WorktreeType: ...

    def environment(self, name: str = "", *, cwd: str = "") -> dict[str, str]:
        """What `.zdriver.toml` leased for it: ports by variable, and ZDRIVER_WORKTREE."""
        ...
