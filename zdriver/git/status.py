"""How worktrees stand: one `git status` each, as many at once as there are cores."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import msgspec

from zdriver.core.errors import ZdriverError
from zdriver.git import calling, porcelain
from zdriver.git.counting import ahead_behind
from zdriver.git.repos import dirs_of
from zdriver.git.targets import in_tree

Env = Mapping[str, str] | None

_STATUS = (
    *("status", "--porcelain=v2", "--branch", "-z"),
    *("--untracked-files=normal", "--ignore-submodules=none"),
)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How a worktree stands."""

    head: str = ""  #: commit; "" before the first one
    branch: str = ""  #: "" when HEAD is detached
    staged: int = 0
    changed: int = 0
    untracked: int = 0  #: an untracked folder counts as one
    conflicted: int = 0
    ahead: int = 0  #: commits that its base has not
    behind: int = 0  #: commits of its base that it has not
    base_known: bool = True  #: False: there is no such base, or no history in common
    upstream: str = ""  #: "origin/feat-x"; "" without one
    up_ahead: int = 0
    up_behind: int = 0
    up_gone: bool = False  #: the upstream does not exist any more, as after a merged pull request
    operation: str = ""  #: merge, rebase, am, cherry-pick, revert or bisect under way

    @property
    def clean(self) -> bool:
        """Nothing that a commit has not: what a removal would lose."""
        return not (self.staged or self.changed or self.untracked or self.conflicted)


def state(path: str, base: str = "", env: Env = None) -> State:
    """Of the worktree whose top is `path`, beside `base` (branch or commit, "" for none).

    One process, and two more when `base` is another commit. Raises NotFound, Unavailable.
    """
    found = states({path: base}, workers=1, env=env)[path]
    if isinstance(found, ZdriverError):
        raise found
    return found


def states(wanted: Mapping[str, str], workers: int = 0, env: Env = None) -> dict[str, State | ZdriverError]:
    """State by path, or why git could not say, for {path: base}.

    workers: git processes at once (0: one per core). Counting ahead and behind of the bases takes
    two more processes per repository, however many worktrees.
    """
    workers = (
        workers or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    if len(wanted) == 1 or workers == 1:
        read = [_read(path, env) for path in wanted]
    else:
        with ThreadPoolExecutor(workers, "zdriver-status") as pool:
            read = list(pool.map(lambda path: _read(path, env), wanted))
    found = {path: one for path, (one, _) in zip(wanted, read, strict=True)}
    by_repo: dict[str, dict[str, State]] = {}
    for path, (one, common) in zip(wanted, read, strict=True):
        if isinstance(one, State) and wanted[path] and one.head:
            by_repo.setdefault(common, {})[path] = one
    _count(found, by_repo, wanted, env)
    return found


def _read(path: str, env: Env) -> tuple[State | ZdriverError, str]:
    """And the git folder of its repository, "" where there is none."""
    try:
        own, common = dirs_of(path)
        counts = porcelain.status(calling.read(in_tree(path), _STATUS, env=env).out)
    except ZdriverError as error:
        return error, ""
    state = State(
        head=counts.head,
        branch=counts.branch,
        staged=counts.staged,
        changed=counts.changed,
        untracked=counts.untracked,
        conflicted=counts.conflicted,
        upstream=counts.upstream,
        up_ahead=counts.up_ahead,
        up_behind=counts.up_behind,
        up_gone=counts.up_gone,
        operation=operation(own),
    )
    return state, common


#: What git leaves in a worktree's git folder while it is at something (gitrepository-layout(5),
#: the manuals of the commands): the first that is there says what.
_UNDER_WAY = (
    ("rebase-merge", "rebase"),
    ("rebase-apply/applying", "am"),
    ("rebase-apply", "rebase"),
    ("MERGE_HEAD", "merge"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("BISECT_LOG", "bisect"),
)


def operation(own: str) -> str:
    """What is under way in the worktree whose own git folder is `own`; "" for nothing."""
    return next((name for file, name in _UNDER_WAY if os.path.lexists(f"{own}/{file}")), "")


def _count(
    found: dict[str, State | ZdriverError],
    by_repo: Mapping[str, Mapping[str, State]],
    wanted: Mapping[str, str],
    env: Env,
) -> None:
    """Fill in ahead and behind: per repository, all at once."""
    for git_dir, members in by_repo.items():
        pairs = {(one.head, wanted[path]) for path, one in members.items()}
        try:
            counted = ahead_behind(git_dir, pairs, env)
        except ZdriverError as error:
            found.update(dict.fromkeys(members, error))
            continue
        for path, one in members.items():
            sides = counted[one.head, wanted[path]]
            ahead, behind = sides or (0, 0)
            found[path] = msgspec.structs.replace(
                one, ahead=ahead, behind=behind, base_known=sides is not None
            )
