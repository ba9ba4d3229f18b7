"""Reading the `.zdriver.toml` of a checkout.

Which copy counts? The worktree's own: a branch that needs a new hook brings it along, and an old
branch is removed as its own time knew how. That it may be changed or untracked does no harm, for
a hook runs only when its very text was approved.

A review holds a stranger's code. There the trunk's file says what is copied: a pull request must
not choose which of your untracked files it gets to see. And its hooks are approved for one commit,
since `make setup` means what that commit's Makefile says.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from zdriver.core.errors import InvalidInput, Unavailable
from zdriver.hooks import rules
from zdriver.hooks.model import FILE, Wishes
from zdriver.worktrees.model import Repo, Worktree

#: Bytes: far more than anybody writes.
SIZE_MAX = 256 * 1024


def wishes(folder: str) -> Wishes:
    """Of the `.zdriver.toml` in `folder`; nothing when there is none. Raises InvalidInput, Unavailable."""
    path = file(folder)
    text = _text(path) if folder else None
    return Wishes() if text is None else rules.parse(text, path)


def file(folder: str) -> str:
    return str(Path(folder) / FILE)


def globs(worktree: Worktree, repo: Repo) -> tuple[str, ...]:
    """What is to be copied into it. Raises as `wishes`."""
    return wishes(repo.trunk if is_review(worktree) else worktree.path).copy


def is_review(worktree: Worktree) -> bool:
    return worktree.pull_request is not None or worktree.type == "review"


def _text(path: str) -> str | None:
    try:
        # Without waiting: a pipe of that name must not hold the daemon.
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Unavailable(
            f"cannot read {path}: {error.strerror}", hint="give yourself the right to read it, or remove it"
        ) from error
    with os.fdopen(fd, "rb") as opened:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidInput(f"{path} is no file", hint="remove it, or put a TOML file there")
        data = opened.read(SIZE_MAX + 1)
    if len(data) > SIZE_MAX:
        raise InvalidInput(
            f"{path} has more than {SIZE_MAX // 1024} KiB",
            hint="put long commands into scripts",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InvalidInput(
            f"{path}, line {line}: not UTF-8; allowed: TOML in UTF-8", hint="convert it with iconv"
        ) from error
