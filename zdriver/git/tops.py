"""Where a folder's repository lies, by reading files alone: in the way of every command.

Source: gitrepository-layout(5). What it cannot tell (a bare repository, `core.worktree`) is asked
of git (`repos.find`).
"""

from __future__ import annotations

import os
from pathlib import Path

from zdriver.git.repository import worktree_top


def top_and_git_dir(folder: str) -> tuple[str, str] | None:
    """(top of the worktree, common git folder), links resolved; None outside of a worktree."""
    top = worktree_top(folder)
    if top is None:
        return None
    dot = Path(top, ".git")
    if dot.is_dir():
        return top, os.path.realpath(dot)
    private = _named_in(dot, "gitdir: ")
    if private is None:
        return None
    # A linked worktree's own git folder says where the common one is; a submodule's is its own.
    common = _named_in(Path(private, "commondir"), "")
    return top, common or private


def _named_in(file: Path, prefix: str) -> str | None:
    """The path that a file of git's names, relative to the file's folder; None when it names none."""
    try:
        text = os.fsdecode(file.read_bytes()).rstrip("\n")
    except OSError:
        return None
    if not text.startswith(prefix) or "\0" in text:
        return None
    return os.path.realpath(file.parent / text[len(prefix) :])
