"""Which repository a git command means: the global options that say it."""

from __future__ import annotations

import os
from pathlib import Path


def in_tree(path: str) -> tuple[str, ...]:
    """In the worktree at `path`. `-C` fails where a process's folder would silently be another one."""
    return ("-C", path)


def in_repo(git_dir: str) -> tuple[str, ...]:
    """In the repository itself, whichever worktree.

    git checks who owns a repository only where it looks for it. The trunk's folder is where it looks;
    a git folder elsewhere is named outright when it is ours (which is what git would check), so that
    `safe.bareRepository=explicit` holds nobody up, and else git is left to judge.
    """
    if git_dir.endswith("/.git"):
        return ("-C", git_dir.removesuffix("/.git") or "/")
    try:
        ours = Path(git_dir).stat().st_uid == os.geteuid()
    except OSError:
        ours = False
    return ("-C", git_dir, "--git-dir", git_dir) if ours else ("-C", git_dir)
