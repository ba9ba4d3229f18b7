"""What zdriver asks of a git repository for a context: its top folder and its HEAD.

The top is found by looking for `.git`, since every command asks for it. HEAD is read by
GitPython, which is imported at the first milestone and not before.
"""

from __future__ import annotations

import logging
import os
import stat

log = logging.getLogger(__name__)

#: To name a folder, not to read it: no right to read is needed. Linux only.
_NAMED = getattr(os, "O_PATH", 0) | os.O_DIRECTORY | os.O_CLOEXEC


def worktree_top(folder: str) -> str | None:
    """The top of the git worktree that holds `folder` (absolute), links resolved; None outside of any.

    A folder that does not exist any more belongs to where it was.
    """
    path = _real(folder)
    while not _is_top(path):
        if path == "/":
            return None
        path = path[: path.rindex("/")] or "/"
    return path


def _real(folder: str) -> str:
    """`os.path.realpath`, which asks for each folder on the way; Linux knows the name of what is open."""
    try:
        opened = os.open(folder, _NAMED)
    except (OSError, ValueError):
        return os.path.realpath(folder)
    try:
        # proc(5): of a folder that was removed, or lies outside of this root, it says something else.
        name = os.readlink(f"/proc/self/fd/{opened}")  # noqa: PTH115 as `os.stat` below
    except OSError:
        return os.path.realpath(folder)
    finally:
        os.close(opened)
    return name if name.startswith("/") and not name.endswith(" (deleted)") else os.path.realpath(folder)


def _is_top(folder: str) -> bool:
    # Plain calls, for this is in the way of every command and pathlib takes five times as long.
    try:
        mode = os.stat(f"{folder}/.git").st_mode  # noqa: PTH116
    except (OSError, ValueError):
        return False
    # A main worktree has a folder with HEAD in it; a linked one and a submodule a file
    # (gitrepository-layout(5)). Any other `.git`, such as an empty folder, means nothing to git.
    return stat.S_ISREG(mode) or os.path.lexists(f"{folder}/.git/HEAD")


def head_commit(folder: str) -> str | None:
    """40 hex digits of HEAD in the worktree at `folder`.

    None outside of a repository, in one without commits, and in a broken one.
    """
    top = worktree_top(folder)
    if top is None:
        return None
    try:
        from git import Repo  # imported only when used: it takes as long as all else together
        from git.refs import SymbolicReference
    except ImportError as error:
        log.warning("no commits are taken along: %s", error)
        return None
    try:
        # Following references only reads files: no git process is started and left behind.
        with Repo(top) as repo:
            return SymbolicReference.dereference_recursive(repo, "HEAD")
    except Exception as error:
        # A broken repository fails GitPython in many ways; a milestone is recorded all the same.
        log.info("no commit at %s: %s", top, error)
        return None
