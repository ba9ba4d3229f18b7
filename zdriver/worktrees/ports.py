"""What worktrees need of other features. The daemon's wiring fits them in."""

from __future__ import annotations

from typing import Protocol

import msgspec

from zdriver.claims.model import Claim
from zdriver.worktrees.model import (
    Linked,
    Provided,
    Repaired,
    Repo,
    Worktree,
)


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A process whose folder lies in a worktree."""

    pid: int
    command: str  #: its argv in one line, secrets redacted


class Guard(Protocol):
    def holder(self, worktree_id: str) -> Claim | None:
        """The live claim; an expired one counts as none."""
        ...

    def check(self, worktree_id: str, *, agent: str, token: int = 0) -> None:
        """Raises Conflict when another agent holds it, or when `token` (0: none given) is stale."""
        ...


class Linker(Protocol):
    def link(self, worktree: Worktree, repo: Repo) -> Linked:
        """Put what sync/ has into one worktree. Applied twice is applied once."""
        ...

    def unlink(self, worktree: Worktree, repo: Repo) -> int:
        """Take out what `link` made and nobody changed; how many."""
        ...


class Resources(Protocol):
    def provide(self, worktree: Worktree, repo: Repo) -> Provided:
        """Copy what `.zdriver.toml` wants copied, lease its ports. Applied twice is applied once."""
        ...

    def free(self, worktree_id: str) -> None:
        """Give its ports back."""
        ...

    def environment(self, worktree: Worktree, repo: Repo) -> dict[str, str]:
        """What it leased, by variable."""
        ...


class Busy(Protocol):
    def __call__(self, path: str, *, beside: tuple[int, ...] = ()) -> tuple[Running, ...]:
        """Processes of this user in `path` or below, those in `beside` (and their ancestors) left out."""
        ...


class Settler(Protocol):
    def settle(self, repo: Repo, worktree: Worktree) -> Repaired | None:
        """Finish a removal that was killed, or bring the worktree back; None: somebody is at it.

        Raises Conflict when it can be neither.
        """
        ...
