"""Which removal `zdriver worktree recover` means: an id, its end, a name or a part of one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from zdriver.core.errors import Ambiguous, NotFound
from zdriver.worktrees.model import Removal
from zdriver.worktrees.removal_rules import meant


def removal(id_: str, name: str) -> Removal:
    at = datetime(2026, 5, 20, tzinfo=UTC)
    return Removal(
        id=id_, name=name, branch=name, head="", ref="", work="", trash="", removed_at=at, expires_at=at
    )


#: The newest first, as the store has them.
KNOWN = (
    removal("0190-0004", "feat-user-auth"),
    removal("0190-0003", "fix-login-loops"),
    removal("0190-0002", "feat-auth"),
    removal("0190-0001", "feat-user-auth"),
)


@pytest.mark.parametrize(
    ("given", "id_"),
    [
        ("0190-0001", "0190-0001"),
        ("0002", "0190-0002"),
        ("feat-user-auth", "0190-0004"),
        ("user-auth", "0190-0004"),
        ("Feat-Auth", "0190-0002"),
        ("login-loops", "0190-0003"),
        ("login", "0190-0003"),
    ],
)
def test_the_newest_of_what_is_meant(given: str, id_: str) -> None:
    assert meant(given, KNOWN).id == id_


def test_a_part_of_several_names_is_ambiguous() -> None:
    with pytest.raises(Ambiguous, match="feat-auth, feat-user-auth"):
        meant("auth", KNOWN)


@pytest.mark.parametrize("given", ["", "1", "nonsense", "01"])
def test_what_is_not_there(given: str) -> None:
    with pytest.raises(NotFound):
        meant(given, KNOWN)
