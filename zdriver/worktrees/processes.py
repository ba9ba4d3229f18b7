"""Who runs in a folder: processes of this user whose working folder or root lies in it.

Left out are this process, whoever asks (`beside`), all their ancestors, and what stands in one
pipeline with whoever asks: in `zdriver remove feat-x | cat` neither the shell nor `cat` is work
that removing would harm.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from zdriver.core import platform
from zdriver.core.redact import redact_argv
from zdriver.worktrees.ports import Running

#: Characters of a command that are told.
_SHOWN = 100
#: Generations of ancestors that are looked up at most.
_DEPTH = 64


def running(path: str, *, beside: tuple[int, ...] = ()) -> tuple[Running, ...]:
    """`ports.Busy`. The lowest pid first."""
    top = os.path.realpath(path)
    places = _places_proc() if platform.LINUX else places_lsof()
    inside = sorted({pid for pid, place in places if contains(top, place)})
    if not inside:
        return ()
    spared = _spared((os.getpid(), *beside))
    groups = {found.group for pid in beside if (found := platform.process(pid)) is not None}
    left = (pid for pid in inside if pid not in spared and not _is_spared(pid, groups))
    return tuple(Running(pid=pid, command=command) for pid in left if (command := _command(pid)))


def contains(top: str, path: str) -> bool:
    """Whether `path` is the folder `top` or lies below it. Both absolute, links resolved."""
    return path == top or path.startswith(top.rstrip("/") + "/")


def _is_spared(pid: int, groups: set[int]) -> bool:
    """In a pipeline with whoever asks, or a git that this very process runs there to look at it."""
    found = platform.process(pid)
    if found is None:
        return True
    if found.group in groups:
        return True
    return found.parent == os.getpid() and platform.argv(pid)[:1] == ("git",)


def _spared(pids: Iterable[int]) -> set[int]:
    """`pids` and all their ancestors."""
    spared: set[int] = set()
    for pid in pids:
        for _ in range(_DEPTH):
            found = platform.process(pid) if pid > 0 and pid not in spared else None
            if found is None:
                break
            spared.add(pid)
            pid = found.parent
    return spared


def _command(pid: int) -> str:
    """In one line, secrets taken out; "" when the process is gone."""
    argv, _ = redact_argv(tuple(platform.argv(pid)))
    line = " ".join(" ".join(argv).split())
    if not line:
        return "" if platform.process(pid) is None else "a program without a name"
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _places_proc() -> Iterator[tuple[int, str]]:
    """(pid, folder) of every process that this user may look into, proc(5)."""
    user = os.getuid()
    for pid in platform.pids():
        folder = Path(f"/proc/{pid}")
        try:
            if folder.stat().st_uid != user:
                continue
            root = str((folder / "root").readlink())
        except OSError:
            continue
        if cwd := platform.cwd(pid):
            yield pid, cwd
        if root != "/":
            yield pid, root


def places_lsof() -> list[tuple[int, str]]:
    """The same from `lsof`, for systems without /proc."""
    text = platform.output("lsof", "-a", "-u", str(os.getuid()), "-d", "cwd,rtd", "-Fpn")
    return parse_lsof(text)


def parse_lsof(text: str) -> list[tuple[int, str]]:
    """`lsof -F pn`: a line p<pid> begins a process, each line n<name> is one file of it.

    A deleted folder's name ends in " (deleted)"; "/" as root says nothing. What is not ASCII is
    written as \\xNN, a backslash as two (lsof(8), "OUTPUT").
    """
    found: list[tuple[int, str]] = []
    pid = 0
    for line in text.splitlines():
        if line.startswith("p") and line[1:].isdigit():
            pid = int(line[1:])
        elif line.startswith("n/") and pid and line != "n/" and not line.endswith(" (deleted)"):
            found.append((pid, _unescaped(line[1:])))
    return found


def _unescaped(name: str) -> str:
    data = re.sub(
        rb"\\(?:x([0-9a-f]{2})|(\\))",
        lambda found: bytes([int(found[1], 16)]) if found[1] else found[2],
        os.fsencode(name),
    )
    return os.fsdecode(data)
