"""What a request asked for, by name: `Store.write` keeps it beside the request's idempotency key."""

from __future__ import annotations

import hashlib

import msgspec


def digest(method: str, *parameters: object) -> str:
    """So that a key cannot be used for something else. Parameters: what msgspec encodes as JSON."""
    return hashlib.sha256(msgspec.json.encode([method, *parameters])).hexdigest()
