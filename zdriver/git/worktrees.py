"""`git worktree`: list, add, remove, lock, repair. Every path is absolute."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from zdriver.core.errors import Conflict, InvalidInput, ZdriverError
from zdriver.git import calling, porcelain
from zdriver.git.failing import half_made
from zdriver.git.porcelain import Listed
from zdriver.git.refs import checked_branch, read_ref
from zdriver.git.targets import in_repo, in_tree

__all__ = ["Listed", "add", "listed", "lock", "prune", "remove", "repair", "unlock"]


def listed(git_dir: str, env: Mapping[str, str] | None = None) -> list[Listed]:
    """All worktrees of the repository, the main one (or the bare repository) first: one git process."""
    where = in_repo(git_dir)
    answer = calling.read(where, ("worktree", "list", "--porcelain", "-z"), env=env, ok=(0, 129))
    if answer.code == 0:
        return porcelain.worktrees(answer.out)
    plain = calling.read(where, ("worktree", "list", "--porcelain"), env=env)  # before git 2.36
    return porcelain.worktrees_by_line(plain.out)


def add(
    git_dir: str,
    path: str,
    *,
    branch: str,
    base: str = "",
    new_branch: bool,
    track: str = "",
    lock: str = "",
    workers: int = 0,
    env: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """A worktree at `path` on `branch`; what git and its hooks said, line by line.

    new_branch: make the branch, at `base` (commit, branch or "" for HEAD); else it exists.
    track: remote branch ("origin/feat-x") that a new branch starts from and follows.
    branch "": detached at `base`. lock: the reason to lock it with, in the same step.
    workers: `checkout.workers` (0: git's own configuration).
    A post-checkout hook of git's that fails does not fail this: the worktree is there, and the
    last line says so. Raises Conflict, Unavailable, ZdriverError; a branch that it made is then
    gone again, and so is the folder.
    """
    config = ("-c", f"checkout.workers={workers}") if workers else ()
    options = ["--lock", "--reason", lock] if lock else []
    if not branch:
        options += ["--detach", "--", path, _revision(base)]
    elif new_branch:
        options += ["--track" if track else "--no-track", "-b", checked_branch(branch), "--", path]
        options += [_revision(track or base or "HEAD")]
    else:
        options += ["--", path, checked_branch(branch)]
    args = (*config, "worktree", "add", "--quiet", *options)
    end = time.monotonic() + calling.MAKING_WAIT
    while True:
        try:
            return _add(git_dir, path, args, branch, new_branch, env)
        except ZdriverError as error:
            # It had made the branch perhaps; that is taken back by now.
            if not half_made(error.message) or time.monotonic() >= end:
                raise
        time.sleep(0.02)


def _add(
    git_dir: str, path: str, args: Sequence[str], branch: str, new_branch: bool, env: Mapping[str, str] | None
) -> tuple[str, ...]:
    was_there = os.path.lexists(f"{path}/.git")
    had_branch = not new_branch or read_ref(git_dir, f"refs/heads/{branch}") is not None
    try:
        answer = calling.write(in_repo(git_dir), args, env=env, ok=calling.ANY, once=True)
        said = tuple(line for line in answer.err.splitlines() if line.strip())
        if answer.code == 0:
            return said
        if not was_there and _made(git_dir, path):
            return (*said, f"git's post-checkout hook failed with exit {answer.code}; the worktree is kept")
        raise calling.failed(in_repo(git_dir), args, answer)
    except ZdriverError as error:
        if branch and not had_branch and not _OTHERS_BRANCH.search(error.message):
            _take_back(git_dir, branch, env)
        raise


#: Somebody made the branch between our look and git's.
_OTHERS_BRANCH = re.compile(r"a branch named .* already exists", re.DOTALL)


def _made(git_dir: str, path: str) -> bool:
    """Whether git kept it: on a failure of its own it takes the folder and its entry away again."""
    return Path(path, ".git").is_file() and any(one.path == os.path.realpath(path) for one in listed(git_dir))


def _take_back(git_dir: str, branch: str, env: Mapping[str, str] | None) -> None:
    """git makes the branch first, and leaves it when the checkout fails."""
    from zdriver.git import branches

    commit = branches.local(git_dir, branch)
    if commit is not None and branches.checked_out_at(git_dir, branch) is None:
        with contextlib.suppress(ZdriverError):  # what is told is why it failed
            branches.delete(git_dir, branch, expect=commit, env=env)


def _revision(name: str) -> str:
    if name.startswith("-"):
        raise InvalidInput(f"{name!r} is no branch or commit")
    return name or "HEAD"


def remove(git_dir: str, path: str, *, force: bool, env: Mapping[str, str] | None = None) -> None:
    """Take the worktree's folder and git's entry for it away; one without a folder loses its entry.

    force: also with changes, untracked files or submodules in it. Not forced, one with submodules
    goes as well when nothing is lost with it. Raises Conflict when git refuses.
    """
    if force and os.path.lexists(path) and not os.path.lexists(f"{path}/.git"):
        shutil.rmtree(path)  # half removed by a killed run: git would refuse it
    where = in_repo(git_dir)
    options = ("--force",) if force else ()
    args = ("worktree", "remove", *options, "--", path)
    answer = calling.write(where, args, env=env, ok=calling.ANY)
    if answer.code == 0:
        return
    if "submodules" in answer.err and not force:
        _check_clean(path, env)
        calling.write(where, ("worktree", "remove", "--force", "--", path), env=env)
        return
    raise calling.failed(where, args, answer)


def _check_clean(path: str, env: Mapping[str, str] | None) -> None:
    args = ("status", "--porcelain=v2", "-z", "--ignore-submodules=none", "--untracked-files=normal")
    if calling.read(in_tree(path), args, env=env).out:
        raise Conflict(
            f"{path} holds changes or untracked files, its own or a submodule's",
            hint="commit or discard them, or use --force",
        )


def lock(git_dir: str, path: str, reason: str, env: Mapping[str, str] | None = None) -> None:
    """Keep `git worktree prune` and `remove` away from it."""
    calling.write(in_repo(git_dir), ("worktree", "lock", "--reason", reason, "--", path), env=env)


def unlock(git_dir: str, path: str, env: Mapping[str, str] | None = None) -> bool:
    """False: it was not locked."""
    answer = calling.write(in_repo(git_dir), ("worktree", "unlock", "--", path), env=env, ok=calling.ANY)
    if answer.code and "is not locked" not in answer.err:
        raise calling.failed(in_repo(git_dir), ("worktree", "unlock"), answer)
    return answer.code == 0


def repair(git_dir: str, paths: Sequence[str] = (), env: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Mend the links between git and worktrees that were moved by hand (`paths`: where they are now).

    What git mended, line by line.
    """
    if not paths:
        answer = calling.write(in_repo(git_dir), ("worktree", "repair"), env=env)
    else:
        answer = calling.write(in_repo(git_dir), ("worktree", "repair", "--", *paths), env=env)
    said = f"{os.fsdecode(answer.out)}\n{answer.err}"
    return tuple(line.strip() for line in said.splitlines() if line.strip())


def prune(git_dir: str, env: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Forget every worktree whose folder is gone and that is not locked; what git forgot."""
    answer = calling.write(in_repo(git_dir), ("worktree", "prune", "--verbose", "--expire=now"), env=env)
    said = f"{os.fsdecode(answer.out)}\n{answer.err}"
    return tuple(line.strip() for line in said.splitlines() if line.strip())
