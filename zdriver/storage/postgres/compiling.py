"""Statements with `:name` parameters as psycopg takes them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from zdriver.core.errors import Internal
from zdriver.storage.catalog import statements

#: Comments, texts, quoted names, casts, parameters, and percent signs.
_TOKEN = re.compile(r"--[^\n]*|'(?:[^']|'')*'|\"[^\"]*\"|::|:([a-z_]+)|%")


def compiled(sql: str) -> bytes:
    """`:name` becomes `%(name)s`; what only looks like it, in a text or a comment, does not."""

    def put(found: re.Match[str]) -> str:
        if found[1]:
            return f"%({found[1]})s"
        return "" if found[0].startswith("--") else found[0].replace("%", "%%")

    return _TOKEN.sub(put, sql).strip().encode()


@cache
def catalog() -> Mapping[str, bytes]:
    """Every statement for PostgreSQL by name."""
    return {name: compiled(sql) for name, sql in statements("postgresql").items()}


@cache
def of_events() -> frozenset[str]:
    """Names of the statements that read or change the event log."""
    return frozenset(name for name, sql in catalog().items() if re.search(rb"\b(events|deliveries)\b", sql))


def statement(name: str) -> bytes:
    """Raises Internal for a name that there is not."""
    try:
        return catalog()[name]
    except KeyError:
        raise Internal(f"there is no statement {name}") from None
