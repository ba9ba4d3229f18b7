"""What zdriver asks of a git repository for a context: its top folder and its HEAD.

The top is found by looking for `.git`, since every command asks for it. HEAD is read by
GitPython, which is imported at the first milestone and not before.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable
from functools import cache

log = logging.getLogger(__name__)

#: Bytes of a path that realpath(3) may give, its NUL included.
_ROOM = 4097


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
    """`os.path.realpath`, with one call of the C library where the folder is there.

    Python asks for each folder on the way, and lets go of its lock each time: with 32 threads at work that
    was a sixth of what a claim costs the daemon.
    """
    if "\0" in folder:
        return os.path.realpath(folder)
    found = _realpath()(os.fsencode(folder))
    return os.path.realpath(folder) if found is None else os.fsdecode(found)


@cache
def _realpath() -> Callable[[bytes], bytes | None]:
    """realpath(3): None where nothing is there, or it has too long a name."""
    import ctypes  # only in a process that asks: it takes as long to load as all else for some commands

    function = ctypes.CDLL(None).realpath
    function.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    function.restype = ctypes.c_char_p

    def ask(folder: bytes) -> bytes | None:
        found: bytes | None = function(folder, ctypes.create_string_buffer(_ROOM))
        return found

    return ask


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
