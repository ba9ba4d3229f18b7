"""The nouns of worktrees, as they stand in the store, on the wire and in `--json`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from zdriver.claims.model import Claim

#: creating and removing: a process is at it, or was killed at it.
Standing = Literal["creating", "ready", "removing", "removed"]


class Repo(msgspec.Struct, frozen=True, kw_only=True):
    """A git repository that zdriver knows."""

    id: str
    git_dir: str  #: the common git folder, links resolved
    trunk: str  #: the main worktree; "" for a bare repository
    container: str  #: the folder in which new worktrees and sync/ lie
    remote: str = ""  #: URL of origin, without secrets
    default_branch: str = ""


class WorktreeType(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    description: str
    base: str = ""  #: what new ones start from; "": the default branch
    builtin: bool = False


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    title: str = ""
    url: str = ""


class Worktree(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    repo: str  #: absolute path of the repository's trunk, of a bare one its git folder
    name: str  #: feat-user-auth: also the folder's name
    type: str
    title: str  #: as it was typed
    branch: str  #: "" when HEAD is detached
    base: str
    path: str  #: absolute
    state: Standing
    created_at: datetime
    used_at: datetime
    agent: str = ""  #: who made it
    trunk: bool = False  #: the repository's main worktree: never removed
    pull_request: PullRequest | None = None


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """How one worktree stands, as git sees it now."""

    head: str  #: commit, "" in a repository without commits
    staged: int = 0
    changed: int = 0
    untracked: int = 0
    conflicted: int = 0
    ahead: int = 0  #: commits that its base has not
    behind: int = 0  #: commits of its base that it has not
    upstream: str = ""  #: "origin/feat-x"; "" without one
    upstream_ahead: int = 0
    upstream_behind: int = 0
    operation: str = ""  #: "merge", "rebase", "cherry-pick", "bisect" … under way


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `zdriver worktree list`."""

    worktree: Worktree
    condition: Condition | None = None  #: None when git could not say; `trouble` says why
    trouble: str = ""
    claim: Claim | None = None
    intent: str = ""
    current: bool = False  #: the caller's folder lies in it
    host: str = ""  #: the name of the machine it is on; "": this one


class Linked(msgspec.Struct, frozen=True, kw_only=True):
    """What sync/ put into one worktree."""

    links: int = 0
    copies: int = 0
    conflicts: tuple[str, ...] = ()  #: one line each: what is in the way and how to settle it


class Provided(msgspec.Struct, frozen=True, kw_only=True):
    """What `.zdriver.toml` asked for and one worktree got."""

    copies: int = 0
    environment: dict[str, str] = {}  #: ports among it
    warnings: tuple[str, ...] = ()


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `add`."""

    worktree: Worktree
    created: bool  #: False: it was there already
    linked: Linked = Linked()
    provided: Provided = Provided()
    warnings: tuple[str, ...] = ()


class Reviewed(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `review`."""

    worktree: Worktree
    created: bool  #: False: it was there already
    commit: str  #: the pull request's head, as it is on the remote now
    updated: bool = False  #: it was there, and was brought to that commit
    reason: str = ""  #: why it was not, in words; "" when it stands there, or ahead of it
    before: str = ""  #: commit that it stood at; after a force push it is kept under a ref
    state: str = ""  #: "open", "closed", "merged"; "" when the forge does not say
    forge: str = ""  #: who was asked
    linked: Linked = Linked()
    provided: Provided = Provided()
    warnings: tuple[str, ...] = ()


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `remove`."""

    id: str  #: of the removal, for `worktree recover`
    worktree: Worktree
    branch_deleted: bool
    kept: str = ""  #: what was kept and until when, in words
    land_at: str = ""  #: where a shell that stood in it goes


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """What a removal kept, until `expires_at`."""

    id: str
    name: str
    branch: str
    head: str
    ref: str
    work: str  #: commit of what was changed but not committed; "": nothing was
    trash: str  #: absolute folder of untracked files; "": there were none
    removed_at: datetime
    expires_at: datetime
    forced: bool = False


class Prunable(msgspec.Struct, frozen=True, kw_only=True):
    worktree: Worktree
    reason: str  #: "merged into main by squash", "its folder is gone", …


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    worktree: Worktree
    into: str  #: branch
    commit: str  #: that it stands at now
    removed: Removed | None = None


class Repaired(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that `worktree repair` found and did."""

    name: str
    found: str
    done: str
