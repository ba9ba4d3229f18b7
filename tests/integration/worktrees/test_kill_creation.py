"""Killed at any step of making a worktree: the next look finishes it or takes it back."""

from __future__ import annotations

import pytest

from tests.integration.worktrees.world import World
from zdriver.worktrees import steps

#: What brings it in order: the same command again, the repair, the daemon's start.
WAYS = {"add": steps.CREATION[::2], "repair": steps.CREATION, "settle_all": steps.CREATION[::3]}
#: From here on git has made all of it, so that it is finished and not taken back.
WHOLE = steps.CREATION.index("checked-out")


def settle(world: World, way: str) -> None:
    given = {"type": "feat", "name": "a"} if way == "add" else {}
    world.ok(way, **given)


@pytest.mark.parametrize("way", WAYS)
def test_a_killed_creation_is_finished_or_taken_back(world: World, way: str) -> None:
    before = world.agree() if world.known() else {}
    for step in WAYS[way]:
        world.run("add", type="feat", name="a", kill=steps.point(step))
        settle(world, way)
        there = world.agree()
        path = str(world.container / "feat-a")
        if way == "add" or steps.CREATION.index(step) >= WHOLE:
            assert there == {**before, path: "feat-a"}, step
            assert world.branches()["feat-a"] == world.trunk.head
            world.ok("remove", name="a")
        assert world.agree() == before, step
        assert set(world.branches()) == {"main"}, step
