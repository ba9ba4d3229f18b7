"""Which worktrees `zdriver go` takes for equally good, and what a startup file becomes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdriver.cli import shellrc
from zdriver.worktrees import rules
from zdriver.worktrees.model import Worktree

NAMES = ("trunk", "feat-user-auth", "fix-user-auth", "feat-auth-cache", "exp-old-auth", "feat-billing")


def worktree(name: str) -> Worktree:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    type_, _, title = name.partition("-")
    return Worktree(
        id=name, repo="/r", name=name, type=type_, title=title or name, branch=name, base="main",
        path=f"/r.worktrees/{name}", state="ready", created_at=at, used_at=at, trunk=name == "trunk",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("trunk", {"trunk"}),
        ("feat-user-auth", {"feat-user-auth"}),
        ("user-auth", {"feat-user-auth", "fix-user-auth"}),
        ("auth", {"feat-auth-cache"}),  # it begins so; the others have it within
        ("old", {"exp-old-auth"}),
        ("bill", {"feat-billing"}),
        ("blg", {"feat-billing"}),
        ("user", {"feat-user-auth", "fix-user-auth"}),
        ("nothing-like-it", set()),
    ],
)
def test_equally_good(query: str, best: set[str]) -> None:
    found = rules.ranked(query, [worktree(name) for name in NAMES])
    assert {each.name for each in rules.equally_good(query, found)} == best


@given(
    st.binary(max_size=200).filter(lambda content: b"zdriver" not in content), st.sampled_from(shellrc.SHELLS)
)
def test_a_line_goes_in_once_and_comes_out(content: bytes, shell: shellrc.Shell) -> None:
    once = shellrc.installed(content, shell)
    assert once.startswith(content)
    assert shellrc.installed(once, shell) == once
    assert shellrc.removed(once) == content + (b"" if content.endswith(b"\n") or not content else b"\n")


@pytest.mark.parametrize(
    ("content", "there"),
    [
        (b'eval "$(zdriver setup shell bash)"\n', True),
        (b"x=1; zdriver setup shell fish | source", True),
        (b'# eval "$(zdriver setup shell bash)"\n', False),
        (b"echo azdriver setup shells\n", False),
    ],
)
def test_what_is_there_already(content: bytes, there: bool) -> None:
    assert shellrc.has_line(content) is there
