"""Where the workshop keeps things: nothing of it lies in the checkout."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


def cache() -> Path:
    """`${XDG_CACHE_HOME:-~/.cache}/zdriver`, made when it is missing."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    found = root / "zdriver"
    found.mkdir(parents=True, exist_ok=True)
    return found


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a lock among all workshops of this user; says so when it has to wait."""
    with (cache() / f"{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"  waiting for another {name}", flush=True)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
