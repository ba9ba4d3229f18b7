"""Killed at any step of removing or recovering: it is as it was, or gone with all of its work kept."""

from __future__ import annotations

import pytest

from tests.integration.git.tree import Tree
from tests.integration.worktrees.world import World, inventory
from zdriver.worktrees import steps

#: What `World.fill` makes and no commit of the trunk has.
WORK = (
    *("two\n", "staged\n", "staged, and then changed\n", "new\n", "mine\n", "#!/bin/sh\n"),
    *("a name\n", "hidden from git\n", "ignored, and nowhere else\n"),
)
#: From here on it goes forwards only.
KEPT = steps.REMOVAL.index("kept")


@pytest.fixture
def tree(world: World) -> Tree:
    made = world.add("a")
    world.fill(made)
    return made


def settle(world: World, way: str) -> None:
    """By the same command again, the repair, or the daemon's start."""
    if way == "remove":
        ended = world.run("remove", name="a", force=True)
        assert not ended.error or ended.kind == "NotFound", ended.error
    else:
        world.ok(way)


def all_is_kept(world: World) -> None:
    kept = set(world.kept().values())
    assert [each for each in WORK if each.encode() not in kept] == []


#: The repair after each of them; the same command once more after some: it does the same.
_REMOVALS = {"repair": steps.REMOVAL, "remove": steps.REMOVAL[1::3]}
_RECOVERIES = {"repair": steps.RECOVERY, "recover": steps.RECOVERY[::3]}


@pytest.mark.parametrize("way", _REMOVALS)
def test_a_killed_removal_loses_nothing(world: World, tree: Tree, way: str) -> None:
    before, whole, branches = world.agree(), inventory(tree), world.branches()
    for step in _REMOVALS[way]:
        world.run("remove", name="a", force=True, kill=steps.point(step, "remove"))
        settle(world, way)
        there = str(tree) in world.agree()
        if way == "remove" or steps.REMOVAL.index(step) >= KEPT:
            assert not there, step
        if not there:
            all_is_kept(world)
            assert set(world.branches()) == {"main"}, step
            world.ok("recover", removal="feat-a")
        assert world.agree() == before, step
        assert world.branches() == branches, step
        assert inventory(tree) == whole, step


@pytest.mark.parametrize("way", _RECOVERIES)
def test_a_killed_recovery_loses_nothing(world: World, tree: Tree, way: str) -> None:
    before, whole, branches = world.agree(), inventory(tree), world.branches()
    for step in _RECOVERIES[way]:
        world.ok("remove", name="a", force=True)
        world.run("recover", removal="feat-a", kill=steps.point(step, "recover"))
        if way == "repair":
            world.ok("repair")
            if str(tree) not in world.agree():
                all_is_kept(world)
        ended = world.run("recover", removal="feat-a")
        assert not ended.error or ended.kind == "NotFound", ended.error
        assert world.agree() == before, step
        assert world.branches() == branches, step
        assert inventory(tree) == whole, step
