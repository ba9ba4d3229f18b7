"""Repositories of every shape: worktrees are made, listed, removed and recovered in each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.git.tree import Tree
from tests.integration.worktrees.victim import services
from tests.integration.worktrees.world import World, inventory
from zdriver.core.errors import Conflict, InvalidInput, ZdriverError
from zdriver.worktrees.model import Added


def made(world: World, name: str, *options: str, branch: str = "main") -> Tree:
    """A new repository in the home, without a commit."""
    path = world.home.path / name
    path.mkdir(parents=True)
    tree = Tree(path)
    tree.git("init", "-q", "-b", branch, *options)
    return tree


def cloned(world: World, name: str, *options: str) -> Tree:
    path = world.home.path / name
    world.trunk.git("clone", "-q", *options, f"file://{world.home.path}/origin.git", str(path))
    return Tree(path)


def round_trip(world: World, cwd: Tree | Path) -> Added:
    """Made, listed, filled, removed by force, recovered, and removed again."""
    where = str(cwd)
    with world.service() as service:
        added = service.add("feat", "a", cwd=where)
        tree = Tree(Path(added.worktree.path))
        assert added.created
        assert tree.git("branch", "--show-current") == "feat-a"
        lines = {each.worktree.name: each for each in service.list(cwd=where)}
        assert lines["feat-a"].trouble == ""
        tree.write("changed.txt", "mine\n")
        before = inventory(tree)
        removed = service.remove("feat-a", force=True, cwd=where)
        assert not tree.path.exists()
        assert service.recover(removed.id, cwd=where).created
        assert inventory(tree) == before
        (tree.path / "changed.txt").unlink()
        service.remove("feat-a", force=True, cwd=where)
    return added


def test_without_a_remote_and_another_default_branch(world: World) -> None:
    tree = made(world, "plain", branch="devel")
    tree.commit("code.py", "one\n")
    added = round_trip(world, tree)
    assert added.worktree.base == "devel"
    assert added.worktree.path == f"{world.home.path}/plain.worktrees/feat-a"


def test_without_a_commit(world: World) -> None:
    tree = made(world, "empty")
    with world.service() as service, pytest.raises(Conflict) as refused:
        service.add("feat", "a", cwd=str(tree))
    assert "git commit" in refused.value.hint
    assert not (world.home.path / "empty.worktrees").exists()


def test_a_folder_whose_name_is_no_text(world: World) -> None:
    tree = made(world, os.fsdecode(b"no \xff text/app"))
    tree.commit("code.py", "one\n")
    with world.service() as service, pytest.raises(InvalidInput, match="not UTF-8"):
        service.add("feat", "a", cwd=str(tree))


def test_a_detached_trunk(world: World) -> None:
    world.trunk.git("switch", "-q", "--detach")
    added = round_trip(world, world.trunk)
    assert added.worktree.base == "main"


def test_a_shallow_clone(world: World) -> None:
    world.trunk.commit("code.py", "two\n")
    world.trunk.git("push", "-q", "origin", "main")
    assert round_trip(world, cloned(world, "shallow", "--depth=1")).worktree.base == "main"


@pytest.mark.parametrize("name", ["app/.bare", "app.git"])
def test_a_bare_clone_with_worktrees(world: World, name: str) -> None:
    bare = cloned(world, name, "--bare")
    round_trip(world, bare)
    first = Path(round_trip(world, bare).worktree.path)
    with world.service() as service:
        other = service.add("feat", "b", cwd=str(bare)).worktree
    added = round_trip(world, Path(other.path))
    assert Path(added.worktree.path) == first


def test_from_anywhere_in_the_container(world: World) -> None:
    world.add("first")
    for folder in (
        world.container,
        world.container / "sync" / "repo",
        world.container / "feat-first" / "lib",
    ):
        round_trip(world, folder)


def with_submodules(world: World) -> Tree:
    """`feat-a` with a submodule in a submodule, and work in both."""
    deep = made(world, "deep")
    deep.commit("inner.txt", "one\n")
    module = made(world, "module")
    module.git("submodule", "--quiet", "add", str(deep), "deep")
    module.commit("inner.txt", "one\n")
    world.trunk.git("submodule", "--quiet", "add", str(module), "libs/sub")
    world.trunk.git("commit", "-q", "-m", "a submodule")
    answer = world.ok("add", type="feat", name="a")
    assert "git submodule update --init" in " ".join(answer["warnings"])
    tree = Tree(Path(answer["worktree"]["path"]))
    tree.git("submodule", "--quiet", "update", "--init", "--recursive")
    for folder in ("libs/sub", "libs/sub/deep"):
        inner = Tree(tree.path / folder)
        inner.commit("inner.txt", "only here\n")
        inner.write("untracked.txt", "mine\n")
    return tree


def seen(tree: Tree) -> dict[str, object]:
    """Files, status and commits of it and its submodules."""
    found: dict[str, object] = {}
    for folder in ("", "libs/sub", "libs/sub/deep"):
        inner = Tree(tree.path / folder)
        files = inner.snapshot()
        del files[":refs"]  # what removals keep is among them
        found[folder] = (files, inner.head)
    return found


_KILLS = (
    "remove:aside",
    "remove:kept",
    "recover:restored",
    "recover:whole",
    "recover:placed",
)


def test_submodules_and_the_work_in_them(world: World) -> None:
    tree = with_submodules(world)
    before = seen(tree)
    with world.service() as service, pytest.raises(Conflict, match="libs/sub"):
        service.remove("feat-a", cwd=str(world.trunk))
    for kill in _KILLS:
        point = f"worktrees.{kill}"
        world.run("remove", name="feat-a", force=True, kill=point if kill.startswith("remove") else "")
        if kill.startswith("recover"):
            world.run("recover", removal="feat-a", kill=point)
        world.ok("repair")
        if not tree.path.exists():
            world.ok("recover", removal="feat-a")
        assert seen(tree) == before, kill
        tree.git("fsck", "--strict", "--no-dangling")


def test_submodules_without_work_are_filled_again_by_hand(world: World) -> None:
    with_submodules(world)
    with world.service() as service:
        service.add("feat", "b", cwd=str(world.trunk))
        service.remove("feat-b", cwd=str(world.trunk))
        recovered = service.recover("feat-b", cwd=str(world.trunk))
    assert "git submodule update --init" in " ".join(recovered.warnings)


POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


def test_lfs_pointers_without_git_lfs(world: World) -> None:
    world.trunk.commit(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    world.trunk.commit("big.bin", POINTER)
    added = round_trip(world, world.trunk)
    assert added.warnings == ()
    # As git-lfs configures it: without that program no checkout is possible.
    world.trunk.git("config", "filter.lfs.process", "no-such-git-lfs filter-process")
    world.trunk.git("config", "filter.lfs.required", "true")
    with world.service() as service, pytest.raises(ZdriverError, match="lfs"):
        service.add("feat", "b", cwd=str(world.trunk))
    assert [each.name for each in world.known()] == ["trunk-main"]
    assert set(world.branches()) == {"main"}
    assert not (world.container / "feat-b").exists()


def test_a_hundred_worktrees(world: World) -> None:
    for number in range(100):
        world.trunk.git("worktree", "add", "-q", "--no-checkout", "-b", f"feat-{number}", f"../feat-{number}")
    for number in range(0, 100, 10):
        tree = Tree(world.container / f"feat-{number}")
        tree.git("reset", "-q", "--hard")
        tree.write("new.txt", "new\n")
        tree.commit("code.py", "two\n")
    with services(world.home.database) as (worktrees, _):
        lines = worktrees.service.list(cwd=str(world.trunk))
    assert len(lines) == 101
    conditions = {each.worktree.name: each.condition for each in lines}
    assert all(conditions.values())
    for number in range(0, 100, 10):
        condition = conditions[f"feat-{number}"]
        assert condition is not None
        assert (condition.ahead, condition.untracked, condition.changed) == (1, 1, 0)
