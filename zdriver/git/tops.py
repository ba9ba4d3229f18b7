"""Where a folder's repository lies, by reading files alone: in the way of every command.

Source: gitrepository-layout(5). What it cannot tell (a bare repository, `core.worktree`) is asked
of git (`repos.find`).
"""

from __future__ import annotations

import os

from zdriver.git.repository import worktree_top

#: Bytes of such a file that are read: more than any path may have.
_LONGEST = 1 << 16


def top_and_git_dir(folder: str) -> tuple[str, str] | None:
    """(top of the worktree, common git folder), links resolved; None outside of a worktree."""
    top = worktree_top(folder)
    if top is None:
        return None
    # Plain calls, as in `worktree_top`.
    dot = f"{top}/.git"
    if os.path.isdir(dot):  # noqa: PTH112
        return top, os.path.realpath(dot)
    private = _named_in(top, ".git", "gitdir: ")
    if private is None:
        return None
    # A linked worktree's own git folder says where the common one is; a submodule's is its own.
    common = _named_in(private, "commondir", "")
    return top, common or private


def _named_in(folder: str, file: str, prefix: str) -> str | None:
    """The path that a file of git's names, relative to its folder; None when it names none."""
    try:
        fd = os.open(f"{folder}/{file}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.fsdecode(os.read(fd, _LONGEST)).rstrip("\n")
        finally:
            os.close(fd)
    except OSError:
        return None
    if not text.startswith(prefix) or "\0" in text:
        return None
    return os.path.realpath(os.path.join(folder, text[len(prefix) :]))  # noqa: PTH118
