"""Which events are meant: patterns of types. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from zdriver.core.errors import InvalidInput

PATTERNS_MAX = 50
#: Letters of types, `*` for any of them, `?` for one: means the same to a shell and to SQLite.
_PATTERN = re.compile(r"[a-z_.*?]{1,100}")


def patterns(given: Sequence[str]) -> tuple[str, ...]:
    """Raises InvalidInput."""
    if len(given) > PATTERNS_MAX:
        raise InvalidInput(f"{len(given)} types are too many", hint=f"give at most {PATTERNS_MAX}, or a *")
    for each in given:
        if not _PATTERN.fullmatch(each):
            raise InvalidInput(
                f"{each[:100]!r} is no type of events", hint="worktree.created, or a pattern: 'worktree.*'"
            )
    return tuple(given)


def wanted(type_: str, of: Sequence[str]) -> bool:
    """No patterns: all are."""
    return not of or any(fnmatchcase(type_, each) for each in of)
