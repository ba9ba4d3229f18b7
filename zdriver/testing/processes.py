"""What `/proc` says (proc(5)). A process that is gone gives empty answers."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")


class Stat(NamedTuple):
    state: str  #: one letter; T: stopped, Z: a zombie
    parent: int
    group: int
    foreground: int  #: process group in the foreground of its terminal, -1 without one


def pids() -> Iterator[int]:
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            yield int(entry.name)


def stat(pid: int) -> Stat | None:
    text = _read(pid, "stat").decode(errors="replace")
    # The name stands in brackets and may hold anything, brackets too.
    words = text.rpartition(") ")[2].split()
    return Stat(words[0], int(words[1]), int(words[2]), int(words[5])) if len(words) > 5 else None


def alive(pid: int) -> bool:
    found = stat(pid)
    return found is not None and found.state not in "ZX"


def halted(pid: int) -> bool:
    """Whether it does nothing any more: stopped by SIGSTOP, or ended."""
    found = stat(pid)
    return found is None or found.state in "TtZX"


def argv(pid: int) -> tuple[str, ...]:
    raw = _read(pid, "cmdline")
    return tuple(os.fsdecode(raw).split("\0")[:-1]) if raw else ()


def cwd(pid: int) -> str:
    try:
        return str((_PROC / str(pid) / "cwd").readlink())
    except OSError:
        return ""


def environ(pid: int) -> dict[str, str]:
    """The environment it was started with."""
    pairs = os.fsdecode(_read(pid, "environ")).split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def children(pid: int) -> list[int]:
    return [child for child in pids() if (found := stat(child)) and found.parent == pid]


def foreground(pid: int) -> int:
    """The process in the foreground of the terminal of `pid`, itself when it is that; 0 if unknown."""
    found = stat(pid)
    if found is None:
        return 0
    if found.foreground in (-1, found.group):
        return pid
    if alive(found.foreground):
        return found.foreground
    members = (other for other in pids() if (seen := stat(other)) and seen.group == found.foreground)
    return min(members, default=0)


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _read(pid: int, name: str) -> bytes:
    try:
        return (_PROC / str(pid) / name).read_bytes()
    except OSError:
        return b""
