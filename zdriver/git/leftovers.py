"""What a `git worktree add` that was killed left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from zdriver.git import calling
from zdriver.git.failing import lock_owner
from zdriver.git.targets import in_repo

#: In the environment of the git that makes a worktree: a process of it can be found by that.
MARK = "ZDRIVER_MAKING"
#: What git locks a worktree with until all its files are there (builtin/worktree.c).
INITIALIZING = "initializing"


def mend_entries(git_dir: str) -> tuple[str, ...]:
    """Write what a killed git (or a power failure) left empty, and over which every git stumbles since:
    `commondir`, which says the same for each worktree (gitrepository-layout(5)). Names of the entries.

    One that is being made at this moment gets what it would get. Raises OSError.
    """
    mended = []
    for file in sorted(Path(git_dir, "worktrees").glob("*/commondir")):
        if file.stat().st_size == 0:
            file.write_text("../..\n")
            mended.append(file.parent.name)
    return tuple(mended)


def drop_branch_lock(git_dir: str, branch: str, *, since: float) -> bool:
    """Take away the lock file of a branch that a killed git was making; whether there was one.

    since: when that git was started (Unix time): an older lock file is somebody else's. One that goes by
    itself within a second, or that a process has open, is at work. The caller knows that its git ended.
    """
    lock = Path(git_dir, "refs", "heads", f"{branch}.lock")
    end = time.monotonic() + calling.LOCK_WAIT
    while os.path.lexists(lock) and time.monotonic() < end:
        time.sleep(0.02)
    try:
        if lock.stat().st_mtime < since or lock_owner(str(lock)):
            return False
        lock.unlink()
    except FileNotFoundError:
        return False
    return True


def strangers(git_dir: str, path: str, commit: str) -> list[str]:
    """Files below `path` that are not in `commit`: nothing that a checkout of it put there.

    One process. Names are relative to `path`. Raises what `calling.read` raises.
    """
    listed = calling.read(in_repo(git_dir), ("ls-tree", "-r", "-z", "--name-only", commit)).out
    known = {os.fsdecode(name) for name in listed.split(b"\0")}
    return [name for name in _files(path) if name not in known and name != ".git"]


def _files(path: str) -> Iterator[str]:
    for folder, folders, files in os.walk(path):
        below = os.path.relpath(folder, path)
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in (*files, *links):
            yield name if below == "." else f"{below}/{name}"
