"""The table of worktrees: what stands in it, and what goes first where there is little room."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdriver.claims.model import Claim
from zdriver.cli.output import width
from zdriver.cli.worktree_table import cells, clipped, drawn
from zdriver.worktrees.model import Condition, Line, Worktree

NOW = datetime(2026, 5, 20, 15, 30, tzinfo=UTC)


def worktree(name: str, branch: str = "", *, trunk: bool = False) -> Worktree:
    return Worktree(
        id=name,
        repo="/shop",
        name=name,
        type="trunk" if trunk else "feat",
        title=name,
        branch=branch,
        base="main",
        path=f"/shop.worktrees/{name}",
        state="ready",
        created_at=NOW - timedelta(hours=2),
        used_at=NOW,
        trunk=trunk,
    )


def claim(agent: str) -> Claim:
    return Claim(
        id="c",
        worktree_id="w",
        worktree="w",
        path="/",
        agent=agent,
        token=1,
        host="h",
        claimed_at=NOW,
        expires_at=NOW + timedelta(minutes=30),
        lease=1800.0,
    )


FULL = Line(
    worktree=worktree("feat-user-auth", "feat-user-auth"),
    condition=Condition(
        head="a" * 40,
        staged=1,
        changed=2,
        untracked=3,
        ahead=4,
        behind=5,
        upstream="origin/feat-user-auth",
        upstream_ahead=6,
    ),
    claim=claim("claude-1"),
    intent="Log users in by passkey, and let them keep their old password for a while",
    current=True,
)
TRUNK = Line(worktree=worktree("trunk", "main", trunk=True), condition=Condition(head="a" * 40))


def shown(lines: list[Line], room: int | None) -> list[str]:
    return click.unstyle(drawn(lines, NOW, room)).splitlines()


def test_with_room_for_it_everything_is_told() -> None:
    title, _, full = shown([TRUNK, FULL], None)
    assert title.split("  ")[0:1] == [""]
    for word in (
        "*  feat-user-auth  feat   feat-user-auth",
        "↑4 ↓5",
        "↑6",
        "+1 ~2 ?3",
        "claude-1 until ",
        "2 h",
        FULL.intent,
    ):
        assert word in full
    assert " ".join(title.split()) == "worktree type branch base remote work held by age for"


def test_what_nobody_has_takes_no_room() -> None:
    title, trunk = shown([TRUNK], None)
    assert title.split() == ["worktree", "type", "branch", "age"]
    assert trunk.split() == ["trunk", "trunk", "main", "2", "h"]


def test_the_least_important_goes_first() -> None:
    at_100 = shown([TRUNK, FULL], 100)[2]
    assert "claude-1 until" in at_100
    assert at_100.endswith("…")
    at_70 = shown([TRUNK, FULL], 70)
    assert "type" not in at_70[0]
    assert "  feat-user-auth  feat-user-auth" not in at_70[2], "a branch that is called as its worktree"
    assert "claude-1" in at_70[2]
    assert "main" in at_70[1]


@pytest.mark.parametrize("room", [55, 60, 70, 80, 100, 120, 200])
def test_each_line_fits(room: int) -> None:
    for line in shown([TRUNK, FULL], room):
        assert width(line) <= room


text = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=60)


@given(st.lists(st.tuples(text, text, text, text), min_size=1, max_size=5), st.integers(20, 200))
def test_nothing_stored_breaks_the_table(rows: list[tuple[str, str, str, str]], room: int) -> None:
    lines = [
        Line(worktree=worktree(f"feat-{name}", branch), claim=claim(agent), intent=intent)
        for name, branch, agent, intent in rows
    ]
    said = drawn(lines, NOW, room)
    assert len(said.split("\n")) == len(lines) + 1
    assert click.unstyle(said).replace("\n", "").replace("\u200c", "").replace("\u200d", "").isprintable()


def test_why_git_cannot_say_stands_in_the_place_of_the_intent() -> None:
    line = Line(worktree=worktree("feat-x"), trouble="its folder is gone", intent="hidden")
    row = cells(line, NOW)
    assert (row["about"], row["branch"], row["work"]) == ("! its folder is gone", "(detached)", "")


@pytest.mark.parametrize(
    ("full", "room", "cut"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("漢字漢字", 5, "漢字…"), ("a b c", 3, "a…"), ("abc", 1, "…")],
)
def test_what_has_no_room_is_cut(full: str, room: int, cut: str) -> None:
    assert clipped(full, room) == cut
