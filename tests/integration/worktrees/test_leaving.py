"""Removing and pruning: remote branches, what has served, many at once, programs that go on writing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import zdriver
from tests.integration.git.tree import Tree
from tests.integration.worktrees.test_races import at_once
from tests.integration.worktrees.world import World
from zdriver.core.errors import Conflict, NotFound
from zdriver.testing import until


def remote(world: World, branch: str) -> str:
    """Commit of the branch on origin, "" when it has none."""
    return world.trunk.git("ls-remote", "origin", f"refs/heads/{branch}").partition("\t")[0]


def pushed(world: World) -> Tree:
    tree = world.add("a")
    tree.commit("code.py", "two\n")
    tree.git("push", "-q", "-u", "origin", "feat-a")
    return tree


def test_a_remote_branch_goes_only_when_that_is_asked(world: World) -> None:
    commit = pushed(world).head
    removed = world.ok("remove", name="a")
    assert removed["branch_deleted"]
    assert remote(world, "feat-a") == commit
    world.ok("recover", removal="feat-a")
    assert "was deleted" in world.ok("remove", name="a", delete_remote=True)["kept"]
    assert remote(world, "feat-a") == ""


def test_a_remote_branch_with_more_on_it_stays(world: World) -> None:
    pushed(world)
    other = Tree(world.home.path / "other")
    world.trunk.git("clone", "-q", str(world.home.path / "origin.git"), str(other))
    other.git("switch", "-q", "feat-a")
    commit = other.commit("theirs.txt", "theirs\n")
    other.git("push", "-q")
    assert "stays" in world.ok("remove", name="a", delete_remote=True)["kept"]
    assert remote(world, "feat-a") == commit


def test_a_remote_that_is_gone_keeps_nothing_from_being_removed(world: World) -> None:
    pushed(world)
    (world.home.path / "origin.git").rename(world.home.path / "away")
    assert "stays" in world.ok("remove", name="a", delete_remote=True)["kept"]
    assert set(world.agree().values()) == {"main"}


# ---- what has served ----------------------------------------------------------------------------


def test_prune_takes_what_has_served_and_nothing_else(world: World) -> None:
    trees = {name: world.add(name) for name in ("new", "merged", "squashed", "gone", "dirty", "open", "lost")}
    for name in ("merged", "squashed", "gone", "dirty", "open", "lost"):
        trees[name].commit(f"{name}.txt", "one\n")
    trees["squashed"].commit("squashed.txt", "two\n")
    world.trunk.git("merge", "-q", "--no-ff", "-m", "merged", "feat-merged", "feat-dirty")
    world.trunk.git("merge", "-q", "--squash", "feat-squashed")
    world.trunk.git("commit", "-q", "-m", "squashed")
    trees["gone"].git("push", "-q", "-u", "origin", "feat-gone")
    world.trunk.git("merge", "-q", "--no-ff", "-m", "gone", "feat-gone")
    world.trunk.git("push", "-q", "origin", ":feat-gone")
    trees["dirty"].write("new.txt", "mine\n")
    subprocess.run(["rm", "-r", str(trees["lost"])], check=True)
    orphan = world.trunk.worktree("orphan", "orphan")
    subprocess.run(["rm", "-r", str(orphan)], check=True)
    with world.service() as service:
        cwd = str(world.trunk)
        found = {each.worktree.name: each.reason for each in service.prunable(cwd=cwd)}
        assert set(found) == {"feat-merged", "feat-squashed", "feat-gone", "feat-lost", "orphan"}
        assert found["feat-squashed"] == "merged into main by squash"
        with pytest.raises(NotFound, match="feat-new"):
            service.prune(("feat-new",), cwd=cwd)
        with pytest.raises(Conflict, match="untracked"):
            service.prune(("feat-dirty",), cwd=cwd)
        removed = service.prune(tuple(found), cwd=cwd)
        assert len(removed) == 5
        assert service.prunable(cwd=cwd) == ()
    assert set(world.agree().values()) == {"main", "feat-new", "feat-dirty", "feat-open"}
    assert {"feat-lost", "orphan"} <= set(world.branches())  # work that is nowhere else


# ---- many at once -------------------------------------------------------------------------------


def test_removed_by_one_of_many_and_recovered_by_one_of_many(world: World) -> None:
    world.fill(world.add("a"))
    cwd = str(world.trunk)
    with zdriver.connect() as driver:
        driver.daemon.status()
    said = at_once(8, lambda driver, _: driver.worktrees.remove("feat-a", force=True, cwd=cwd))
    assert {kind for kind, _ in said} <= {"", "Conflict", "NotFound"}
    assert sum(not kind for kind, _ in said) == 1
    said = at_once(8, lambda driver, _: driver.worktrees.recover("feat-a", cwd=cwd))
    assert {kind for kind, _ in said} <= {"", "Conflict", "NotFound"}
    assert sum(not kind for kind, _ in said) == 1
    world.end_daemon()
    assert set(world.agree().values()) == {"main", "feat-a"}


_WRITER = """
import pathlib, sys
number = 0
while True:
    pathlib.Path(f"note-{number}.txt").write_text("mine")
    number += 1
    print(number, flush=True)
    if sys.stdin.readline() == "":
        break
"""


def test_what_a_program_wrote_before_is_kept_although_it_goes_on(world: World) -> None:
    """Forced while something runs in it: all that was there when it was removed can be recovered."""
    tree = world.add("a")
    writer = subprocess.Popen(
        ["python3", "-c", _WRITER], cwd=tree.path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    try:
        for _ in range(3):
            writer.stdout.readline()
            writer.stdin.write("\n")
            writer.stdin.flush()
        until(lambda: (tree.path / "note-3.txt").exists(), what="its last note")
        world.ok("remove", name="a", force=True)
        assert not Path(tree.path).exists()
        world.ok("recover", removal="feat-a")
    finally:
        writer.kill()
        writer.communicate()
    assert {each.name for each in tree.path.glob("note-*.txt")} == {
        f"note-{number}.txt" for number in range(4)
    }
