"""With which rights files are made for a caller: the daemon's own umask keeps everybody else out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

#: In what `caller.environment` hands along: the caller's umask, in octal.
VARIABLE = "ZDRIVER_UMASK"

#: What this process was started with, once its own is another one.
_before = -1


def be_private(before: int = -1) -> int:
    """This process's own files are its user's alone from now on. Returns what it was started with,
    which is used for callers that do not say theirs; `before`: known from the program run before it.
    """
    global _before
    own = os.umask(0o077)
    _before = own if before < 0 else before
    return _before


def of(env: Mapping[str, str] | None = None) -> int:
    """Of the caller whose `caller.environment()` is `env`; else the one this process was started with."""
    given = (env or {}).get(VARIABLE, "")
    if given and len(given) <= 4 and not given.strip("01234567"):
        return int(given, 8) & 0o777
    return own() if _before < 0 else _before


def own() -> int:
    """Linux tells it. Elsewhere it can only be looked at by changing it for a moment."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text("ascii", "replace").splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def make_folder(path: Path, env: Mapping[str, str] | None = None) -> None:
    """`path` and what is missing above it, with the caller's umask. Raises OSError."""
    if path.is_dir():
        return
    make_folder(path.parent, env)
    try:
        path.mkdir()
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        path.chmod(0o777 & ~of(env))
