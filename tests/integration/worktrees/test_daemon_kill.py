"""A daemon that dies at a step: the command says so, and the next daemon brings it in order by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

import zdriver
from tests.integration.daemons import Daemons
from tests.integration.git.tree import Tree
from tests.integration.worktrees.world import World, inventory
from zdriver.core.errors import ZdriverError
from zdriver.core.killpoint import VARIABLE
from zdriver.testing import until
from zdriver.worktrees import steps
from zdriver.worktrees.api import WorktreesApi


def killed(
    daemons: Daemons, monkeypatch: pytest.MonkeyPatch, point: str, do: Callable[[WorktreesApi], object]
) -> None:
    """The daemon that is started for it dies at `point`; the client asks another one, which may die too."""
    monkeypatch.setenv(VARIABLE, point)
    with zdriver.connect() as driver:
        pid = driver.daemon.status().pid
        with contextlib.suppress(ZdriverError):
            do(driver.worktrees)
        daemons.gone(pid)
    monkeypatch.delenv(VARIABLE)


def settled(world: World) -> dict[str, str]:
    """By the next daemon, which nobody asks for anything but what there is."""
    with zdriver.connect() as driver:
        until(
            lambda: (
                {line.worktree.state for line in driver.worktrees.list(cwd=str(world.trunk))} == {"ready"}
            ),
            what="what was killed is settled",
        )
    world.end_daemon()
    return world.agree()


@pytest.mark.parametrize(("step", "there"), [("checked-out", True)])
def test_creating(
    world: World, daemons: Daemons, monkeypatch: pytest.MonkeyPatch, step: str, there: bool
) -> None:
    killed(
        daemons,
        monkeypatch,
        steps.point(step),
        lambda service: service.add("feat", "a", cwd=str(world.trunk)),
    )
    assert ("feat-a" in settled(world).values()) == there
    assert ("feat-a" in world.branches()) == there


@pytest.mark.parametrize(("step", "there"), [("aside", True), ("trashing", False)])
def test_removing(
    world: World, daemons: Daemons, monkeypatch: pytest.MonkeyPatch, step: str, there: bool
) -> None:
    tree = world.add("a")
    world.fill(tree)
    before = inventory(tree)
    cwd = str(world.trunk)
    point = steps.point(step, "remove")
    killed(daemons, monkeypatch, point, lambda service: service.remove("feat-a", force=True, cwd=cwd))
    assert ("feat-a" in settled(world).values()) == there
    if not there:
        world.ok("recover", removal="feat-a")
    assert inventory(Tree(Path(tree.path))) == before
