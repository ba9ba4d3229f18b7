"""The sum of a table's rows: the same for equal rows, whatever engine and order they come in. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from zdriver.moving.model import Sum

_MODULUS = 1 << 256
_encode = msgspec.json.Encoder().encode


def summed(rows: Iterable[Sequence[Any]]) -> Sum:
    """Of rows whose values are text, bytes, whole numbers and None."""
    count = total = 0
    for row in rows:
        count += 1
        total += int.from_bytes(hashlib.sha256(_encode(tuple(map(_plain, row)))).digest())
    return Sum(rows=count, digest=f"{total % _MODULUS:064x}")


def _plain(value: Any) -> Any:
    """Bytes apart from a text that reads the same."""
    return [bytes(value).hex()] if isinstance(value, (bytes, memoryview)) else value
