"""Names become the 64-bit keys of PostgreSQL's advisory locks."""

from __future__ import annotations

import hashlib


def lock_key(name: str) -> int:
    """The same on every machine, and in the database (`lock_key` of migration 3).

    Two names that share one only wait for each other needlessly.
    """
    return int.from_bytes(hashlib.sha256(b"zdriver:" + name.encode()).digest()[:8], signed=True)
