"""What git says when it fails, as errors of zdriver's: nothing of it is lost.

Pure but for `lock_owner`, which asks /proc who has a lock file open. git is run with LC_ALL=C, so
its messages are English; those that are recognised are in Documentation and source of 2.30 to 2.47.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from zdriver.core.errors import Conflict, NotFound, Unavailable, ZdriverError
from zdriver.core.redact import redact_text

_MOST = 600  #: characters of git's words in one message


class Failure(NamedTuple):
    where: Sequence[str]  #: global options: -C PATH
    args: Sequence[str]
    code: int
    err: str


_SAYS = ("fatal:", "error:", "! [")  #: how git begins a line that says why
_NO_PROGRAM = re.compile(r": not found$|: command not found$")  #: the shell of a filter or hook
_LOCK = re.compile(r"Unable to create '(.+?\.lock)': File exists", re.DOTALL)
#: git looks at every worktree's entry, also at one that another git is making at that moment: it has
#: the file, and nothing in it yet (worktree.c, get_common_dir_noenv).
_HALF_MADE = re.compile(r"failed to read \S.*/commondir", re.DOTALL)
_DUBIOUS = re.compile(r"detected dubious ownership in repository at '(.+?)'\n", re.DOTALL)


def lock_in_the_way(err: str) -> str:
    """Path of the lock file that git found, "" when that was not it."""
    found = _LOCK.search(err)
    return found.group(1) if found else ""


def half_made(err: str) -> bool:
    """Whether git stumbled over a worktree that is being made: the same again does not."""
    return _HALF_MADE.search(err) is not None


def words(err: str) -> str:
    """git's lines in one: errors first, its last line always among them."""
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    main = [line for line in lines if line.startswith(_SAYS) or _NO_PROGRAM.search(line)]
    if lines and lines[-1] not in main:
        main.append(lines[-1])
    text = "; ".join(line.removeprefix("fatal: ").removeprefix("error: ") for line in main)
    return _short(text)


def _rest(err: str) -> str:
    """The lines that `words` leaves out."""
    lines = [line.strip() for line in err.splitlines() if line.strip()]
    said = (line for line in lines[:-1] if not line.startswith(_SAYS) and not _NO_PROGRAM.search(line))
    return _short("; ".join(said))


def _short(text: str) -> str:
    text = redact_text(text)[0]
    return text if len(text) <= _MOST else f"{text[: _MOST // 2]} … {text[-_MOST // 2 :]}"


def translated(failure: Failure) -> ZdriverError:
    """The error that says it. Its kind is what a caller may act on."""
    err = failure.err
    lock = lock_in_the_way(err)
    if lock:
        return _locked(lock)
    dubious = _DUBIOUS.search(err)
    if dubious:
        return Unavailable(
            f"git refuses {dubious.group(1)}: the folder belongs to another user",
            hint=f"if you trust it: git config --global --add safe.directory '{dubious.group(1)}'",
        )
    said = words(err) or (f"ended by signal {-failure.code}" if failure.code < 0 else f"exit {failure.code}")
    name = _name(failure.args)
    for pattern, kind, hint in _KNOWN:
        if pattern.search(err):
            return kind(f"{name}: {said}", hint="; ".join(filter(None, (hint, _rest(err)))))
    return ZdriverError(f"{name}: {said}", hint=_rest(err))


def _name(args: Sequence[str]) -> str:
    taken: list[str] = []
    rest = list(args)
    while rest and rest[0] == "-c":
        rest = rest[2:]
    for word in rest[:2]:
        if word.startswith("-") or (taken and taken[0] not in ("worktree", "stash", "config")):
            break
        taken.append(word)
    return " ".join(("git", *taken))


_KNOWN: tuple[tuple[re.Pattern[str], type[ZdriverError], str], ...] = tuple(
    (re.compile(pattern), kind, hint)
    for pattern, kind, hint in (
        (
            r"[Nn]o space left on device|Disk quota exceeded",
            Unavailable,
            "make room on that disk, then again",
        ),
        (
            r"(couldn't|[Uu]nable to|[Ff]ailed to|cannot) write |[Uu]nable to (create|append)|write error",
            Unavailable,
            "see whether that disk is full, or may not be written",
        ),
        (r"safe\.bareRepository", Unavailable, "git config --global safe.bareRepository all"),
        (
            _HALF_MADE.pattern,
            Unavailable,
            "a git was killed while it made a worktree: zdriver worktree repair",
        ),
        (r"already (checked out|used by worktree) at", Conflict, ""),
        (r"already exists", Conflict, ""),
        (r"is locked|locked working tree|cannot lock ref|contains modified or untracked", Conflict, ""),
        (r"would be overwritten", Conflict, ""),
        (r"stale info|! \[(remote )?rejected\]", Conflict, ""),
        (r"not a git repository", NotFound, ""),
        (r"couldn't find remote ref|Couldn't find remote ref", NotFound, ""),
        (r"does not appear to be a git repository", NotFound, ""),
        (
            r"Authentication failed|could not read (Username|Password)|Permission denied \(publickey",
            Unavailable,
            "log in for that remote first: run the same git fetch by hand",
        ),
        (r"Read-only file system|Permission denied", Unavailable, ""),
        (r"Could not resolve host|unable to access|Could not read from remote", Unavailable, ""),
        (
            r"Please tell me who you are|empty ident name|unable to auto-detect email",
            Unavailable,
            "git config --global user.name NAME; git config --global user.email ADDRESS",
        ),
        (r"smudge filter|external filter|git-lfs", Unavailable, ""),
    )
)


def _locked(lock: str) -> Conflict:
    owner = lock_owner(lock)
    if owner:
        return Conflict(f"{owner} is at work there: it holds {lock}", hint="try again when it is done")
    return Conflict(
        f"{lock} is in the way, and no process of yours has it open",
        hint="a git that was killed left it behind; if none is running there: rm that file",
    )


def lock_owner(lock: str) -> str:
    """ "git commit (pid 123)" of the process that has the file open; "" when none can be seen."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            held = any(os.readlink(fd) == lock for fd in (entry / "fd").iterdir())  # noqa: PTH115 - as text
            if held:
                argv = (entry / "cmdline").read_bytes().split(b"\0")
                shown = redact_text(" ".join(os.fsdecode(word) for word in argv[:2]))[0]
                return f"{shown} (pid {entry.name})"
        except OSError:
            continue
    return ""
