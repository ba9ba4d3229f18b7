"""Names become the 64-bit keys of PostgreSQL's advisory locks."""

from __future__ import annotations

import hashlib


def lock_key(name: str) -> int:
    """The same on every machine; two names that share one only wait for each other needlessly."""
    return int.from_bytes(hashlib.blake2b(b"zdriver:" + name.encode(), digest_size=8).digest(), signed=True)
