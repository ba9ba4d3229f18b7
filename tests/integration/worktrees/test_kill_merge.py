"""Killed at any step of merging or pruning, whose removals are removals: the same command finishes it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

import zdriver
from tests.integration.worktrees.world import World
from zdriver.worktrees import steps

#: Steps of a removal at which a merge or prune, too, is killed: the rest is `test_kill_removal`'s.
_SOME = ("began", "kept", "removed")
_OF_MERGE = (
    *(steps.point(step, "merge") for step in steps.MERGE),
    *(steps.point(step, "remove") for step in _SOME),
)


def _again(world: World, method: str, **given: Any) -> None:
    """What was killed is done by doing it again; where nothing is left to do, it says so."""
    ended = world.run(method, **given)
    assert not ended.error or ended.kind == "NotFound", ended.error


@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
def test_a_killed_merge_is_done_once(world: World, how: str) -> None:
    before = world.agree() if world.known() else {}
    for number, point in enumerate(_OF_MERGE if how == "squash" else _OF_MERGE[:2]):
        tree = world.add("a")
        world.trunk.commit("other.txt", f"{number}\n")  # nothing to fast-forward
        count = int(world.trunk.git("rev-list", "--count", "main"))
        tree.commit("merged.txt", f"{number}\n")
        world.run("merge", name="a", how=how, kill=point)
        _again(world, "merge", name="a", how=how)
        assert world.agree() == before, point
        assert set(world.branches()) == {"main"}, point
        assert (world.trunk.path / "merged.txt").read_text() == f"{number}\n"
        assert world.trunk.git("status", "--porcelain") == ""
        done = int(world.trunk.git("rev-list", "--count", "main")) - count
        assert done == (2 if how == "merge" else 1), point


def test_a_killed_prune_is_done_again(world: World) -> None:
    before = world.agree() if world.known() else {}
    for number, step in enumerate(_SOME):
        tree = world.add("a")
        tree.commit("merged.txt", f"{number}\n")
        world.trunk.git("merge", "-q", "--squash", "feat-a")
        world.trunk.git("commit", "-q", "-m", "squashed")
        world.run("prune", names=["feat-a"], kill=steps.point(step, "remove"))
        world.ok("repair")
        _again(world, "prune", names=["feat-a"])
        assert world.agree() == before, step
        assert set(world.branches()) == {"main"}, step


def _named(file: Path) -> list[str]:
    """The constants given to `_at` or `point` in a source file."""
    calls = [each for each in ast.walk(ast.parse(file.read_text())) if isinstance(each, ast.Call)]
    named = [each for each in calls if isinstance(each.func, ast.Name) and each.func.id in ("_at", "point")]
    return [
        each.args[0].value
        for each in named
        if isinstance(each.args[0], ast.Constant) and isinstance(each.args[0].value, str)
    ]


@pytest.mark.parametrize(
    ("module", "listed"),
    [
        ("creating", steps.CREATION),
        ("departing", steps.REMOVAL),
        ("recovering", steps.RECOVERY),
        ("merging", steps.MERGE),
    ],
)
def test_every_step_in_the_code_is_listed_and_so_has_its_case(module: str, listed: tuple[str, ...]) -> None:
    file = Path(zdriver.__file__).parent / "worktrees" / f"{module}.py"
    assert sorted(_named(file)) == sorted(listed)


def test_every_kill_point_of_worktrees_is_in_these_files() -> None:
    folder = Path(zdriver.__file__).parent / "worktrees"
    with_points = {each.stem for each in folder.glob("*.py") if "reached(" in each.read_text()}
    of_reviews = {"reviewing", "refreshing"}  # tests/integration/reviews
    assert with_points - of_reviews == {"creating", "departing", "recovering", "merging"}


def test_a_conflict_leaves_everything_as_it_was(world: World) -> None:
    tree = world.add("a")
    tree.commit("code.py", "theirs\n")
    world.trunk.commit("code.py", "ours\n")
    before = (world.agree(), world.branches(), tree.snapshot(), world.trunk.snapshot())
    for how in ("merge", "squash", "rebase"):
        refused = world.run("merge", name="a", how=how)
        assert refused.kind == "Conflict"
        assert "code.py" in refused.error
    assert (world.agree(), world.branches(), tree.snapshot(), world.trunk.snapshot()) == before
