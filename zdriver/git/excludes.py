"""Paths that `git status` leaves out: a marked block in info/exclude of the common git folder.

gitignore(5) gives the form. Each pattern stands for one path: it begins at the top of the worktree,
and every character that means something is escaped.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from zdriver.core import umask
from zdriver.core.errors import Conflict
from zdriver.core.paths import unwritable

BEGIN = "# zdriver: links of shared configuration, kept by `zdriver sync`"
END = "# zdriver: end"

_ESCAPED = frozenset("\\*?[")
_one_at_a_time = threading.Lock()


def patterns(path: str) -> list[str]:
    """The lines that exclude exactly `path` (relative to the worktree).

    A pattern cannot hold a newline: the range from tab to vertical tab does, and what that range
    has too much is taken back by lines after it.
    """
    if "\n" not in path:
        return [f"/{_escaped(path)}"]
    parts = [_escaped(part) for part in path.split("\n")]
    either, others = "[\t-\v]", "[\t\v]"
    made = ["/" + either.join(parts)]
    for at in range(len(parts) - 1):
        made.append("!/" + either.join(parts[: at + 1]) + others + either.join(parts[at + 1 :]))
    return made


def _escaped(text: str) -> str:
    made = "".join(f"\\{char}" if char in _ESCAPED else "[\r]" if char == "\r" else char for char in text)
    # git strips spaces at the end of a line
    return made[:-1] + "\\ " if made.endswith(" ") else made


def change(git_dir: str, add: Iterable[str], drop: Iterable[str] = ()) -> bool:
    """Exclude the paths in `add`, and those in `drop` no more; whether the file was changed.

    All else in it stays as it is, byte for byte. Raises Conflict while git or another program has
    `info/exclude.lock`, Unavailable when it cannot be written.
    """
    given, gone = list(dict.fromkeys(add)), list(dict.fromkeys(drop))
    if not given and not gone:
        return False
    file = Path(os.path.realpath(Path(git_dir, "info", "exclude")))
    with _one_at_a_time:
        try:
            before = file.read_bytes() if file.exists() else b""
            after = _changed(before, given, gone)
            if after == before:
                return False
            umask.make_folder(file.parent)
            _write(file, after)
        except FileExistsError as error:
            raise Conflict(
                f"{error.filename} is there: another program changes {file}",
                hint=f"try again; if no git runs, remove {error.filename}",
            ) from error
        except OSError as error:
            raise unwritable(file, error) from error
    return True


def _changed(before: bytes, add: list[str], drop: list[str]) -> bytes:
    head, block, tail = _split(before)
    gone = {line for path in drop for line in _lines(path)} - {line for path in add for line in _lines(path)}
    kept = [line for line in block if line not in gone]
    there = set(kept)
    kept += [line for path in add for line in _lines(path) if line not in there]
    if not kept:
        return head + tail
    if head and not head.endswith(b"\n"):
        head += b"\n"
    return head + b"\n".join([BEGIN.encode(), *kept, END.encode()]) + b"\n" + tail


def _lines(path: str) -> list[bytes]:
    return [os.fsencode(line) for line in patterns(path)]


def _split(text: bytes) -> tuple[bytes, list[bytes], bytes]:
    """(before the block, its lines, after it); without an end the block is what is there of it."""
    begin, end = BEGIN.encode() + b"\n", b"\n" + END.encode()
    at = 0 if text.startswith(begin) else text.find(b"\n" + begin) + 1
    if at == 0 and not text.startswith(begin):
        return text, [], b""
    inner = at + len(begin)
    stop = text.find(end, inner - 1)
    if stop < 0:
        return text[:at], [], text[inner:]
    rest = text[stop + len(end) :].removeprefix(b"\n")
    return text[:at], [line for line in text[inner:stop].split(b"\n") if line], rest


def _write(file: Path, data: bytes) -> None:
    """Under another name, then renamed; not under name.lock: one that a kill left would stay for ever."""
    lock = file.with_name(f"{file.name}.lock")
    if lock.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(lock))
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o644
    fresh = file.with_name(f"{file.name}.zdriver")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(fd, "wb") as opened:
            fcntl.flock(fd, fcntl.LOCK_EX)
            opened.truncate(0)
            opened.write(data)
            opened.flush()
            os.fchmod(fd, mode)
            fresh.rename(file)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
