"""zdriver and its git killed together, in the middle of git's own work, as a power failure does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.worktrees.victim import Ended
from tests.integration.worktrees.world import World

#: Kills who called it, up to the process that was told to make the worktree; the first time only.
_KILL = """#!/bin/sh
{when}
if mkdir "$HOME/killed" 2>/dev/null; then
    pid=$PPID
    all=
    while [ "$pid" != "$STOP_AT" ]; do
        all="$pid $all"
        pid=$(cut -d ' ' -f 4 "/proc/$pid/stat")
    done
    kill -9 $all $$
fi
cat
"""


def armed(world: World, path: Path, when: str = "") -> Path:
    path.write_text(_KILL.format(when=when))
    path.chmod(0o755)
    return path


def kill(world: World) -> None:
    ended = world.run("add", type="feat", name="a", dies=True)
    assert ended == Ended(signal=9)
    assert (world.home.path / "killed").is_dir()


def in_order_again(world: World, way: str) -> None:
    if way == "repair":
        world.ok("repair")
        assert world.agree() == {str(world.trunk): "main"}
        assert set(world.branches()) == {"main"}
    tree = world.add("a")
    assert set(world.agree()) == {str(world.trunk), str(tree)}
    assert tree.git("status", "--porcelain") == ""
    assert tree.git("ls-files", "--deleted") == ""


@pytest.mark.parametrize("way", ["add", "repair"])
def test_in_the_middle_of_a_checkout(world: World, way: str) -> None:
    """What is left: git's entry, locked `initializing`, an index.lock, a folder with some files."""
    smudge = armed(world, world.home.path / "smudge")
    world.trunk.git("config", "filter.boom.smudge", str(smudge))
    world.trunk.commit(".gitattributes", "*.py filter=boom\n")
    world.trunk.git("push", "-q", "origin", "main")
    kill(world)
    assert "initializing" in world.trunk.git("worktree", "list", "--porcelain")
    in_order_again(world, way)


@pytest.mark.parametrize("way", ["add", "repair"])
def test_in_the_middle_of_making_the_branch(world: World, way: str) -> None:
    """What is left: the lock file of the branch, over which each later try would stumble."""
    hooks = world.home.path / "hooks"
    hooks.mkdir()
    armed(world, hooks / "reference-transaction", '[ "$1" = prepared ] || exit 0')
    world.trunk.git("config", "core.hooksPath", str(hooks))
    kill(world)
    assert (Path(world.trunk.git_dir) / "refs/heads/feat-a.lock").exists()
    in_order_again(world, way)


@pytest.mark.parametrize("way", ["add", "repair"])
def test_when_the_branch_is_there_and_nothing_else(world: World, way: str) -> None:
    hooks = world.home.path / "hooks"
    hooks.mkdir()
    armed(world, hooks / "reference-transaction", '[ "$1" = committed ] || exit 0')
    world.trunk.git("config", "core.hooksPath", str(hooks))
    kill(world)
    assert "feat-a" in world.branches()
    in_order_again(world, way)
