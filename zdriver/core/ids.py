"""Ids: UUIDv7 (RFC 9562), so that they sort by time; shown short by their random end."""

from __future__ import annotations

import os
import threading
import time

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """A UUIDv7 as 36 characters, strictly growing within this process."""
    global _last
    with _lock:
        # 48 bits of milliseconds and 12 of their fraction: the sortable part
        stamp = (time.time_ns() << 12) // 1_000_000
        _last = stamp = max(stamp, _last + 1)
    tail = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    value = (stamp >> 12) << 80 | 7 << 76 | (stamp & 0xFFF) << 64 | 2 << 62 | tail
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def short(id_: str) -> str:
    """The last 8 characters: random, so that ids made together still differ."""
    return id_[-8:]
