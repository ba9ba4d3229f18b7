"""Ids: UUIDv7 (RFC 9562), so that they sort by time; shown short by their random end."""

from __future__ import annotations

import os
import struct
import threading
import time

_lock = threading.Lock()
_last = 0
#: Random numbers of 64 bits that nobody used yet: asking the system for each id would let go of Python's
#: lock each time, and where many threads work it has to be waited for.
_random: list[int] = []
_AT_ONCE = struct.Struct("128Q")


def new_id() -> str:
    """A UUIDv7 as 36 characters, strictly growing within this process."""
    global _last
    with _lock:
        # 48 bits of milliseconds and 12 of their fraction: the sortable part
        stamp = (time.time_ns() << 12) // 1_000_000
        _last = stamp = max(stamp, _last + 1)
        if not _random:
            _random.extend(_AT_ONCE.unpack(os.urandom(_AT_ONCE.size)))
        tail = _random.pop() & ((1 << 62) - 1)
    text = f"{stamp >> 12:012x}7{stamp & 0xFFF:03x}{2 << 62 | tail:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


# A child must not use what its parent will use, too.
os.register_at_fork(after_in_child=_random.clear)


def short(id_: str) -> str:
    """The last 8 characters: random, so that ids made together still differ."""
    return id_[-8:]
