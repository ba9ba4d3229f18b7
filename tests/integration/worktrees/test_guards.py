"""What holds work is not removed, and it is said why; what landed may go. With the guard out, it is lost."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.integration.git.tree import Tree
from tests.integration.worktrees.victim import services
from tests.integration.worktrees.world import World, inventory
from zdriver.core import platform
from zdriver.core.errors import Conflict, InvalidInput
from zdriver.testing import until
from zdriver.worktrees import removal_rules
from zdriver.worktrees.creating import Creating
from zdriver.worktrees.repairing import Repairing

# ---- what speaks against it ---------------------------------------------------------------------


def _diverged(world: World, tree: Tree) -> None:
    tree.commit("code.py", "theirs\n")
    tree.git("push", "-q", "origin", "HEAD")
    world.trunk.commit("code.py", "ours\n")


def changed(world: World, tree: Tree) -> None:
    tree.write("code.py", "changed\n")


def staged(world: World, tree: Tree) -> None:
    tree.write("code.py", "changed\n")
    tree.git("add", "code.py")


def untracked(world: World, tree: Tree) -> None:
    tree.write("new.txt", "new\n")


def unpushed(world: World, tree: Tree) -> None:
    tree.commit("code.py", "two\n")


def detached(world: World, tree: Tree) -> None:
    tree.git("switch", "-q", "--detach")
    tree.commit("code.py", "two\n")


def hidden(world: World, tree: Tree) -> None:
    tree.git("update-index", "--assume-unchanged", "code.py")
    tree.write("code.py", "changed\n")


def merging(world: World, tree: Tree) -> None:
    _diverged(world, tree)
    tree.git("merge", "main", ok=False)


def rebasing(world: World, tree: Tree) -> None:
    _diverged(world, tree)
    tree.git("rebase", "main", ok=False)


def half_landed(world: World, tree: Tree) -> None:
    """Squashed, but a conflict was settled differently: what is in the base is not its work."""
    tree.commit("code.py", "theirs\n")
    tree.commit("lib/deep.py", "theirs\n")
    world.trunk.commit("code.py", "ours\n")
    world.trunk.commit("lib/deep.py", "theirs\n")


def locked(world: World, tree: Tree) -> None:
    world.trunk.git("worktree", "lock", "--reason", "on a stick", str(tree))


def nested(world: World, tree: Tree) -> None:
    world.trunk.git("worktree", "add", "-q", "-b", "inner", str(tree.path / "inner"))


CASES: dict[Callable[[World, Tree], None], str] = {
    changed: "1 changed",
    staged: "1 staged",
    untracked: "1 untracked file (new.txt)",
    unpushed: "1 commit that is nowhere else",
    detached: "not on a branch either",
    hidden: "told not to see (code.py)",
    merging: "a merge is under way",
    rebasing: "a rebase is under way",
    half_landed: "2 commits that are nowhere else",
    locked: "locked (on a stick)",
    nested: "inner",
}


def refused(world: World, name: str) -> str:
    """`remove` says no, and nothing of it changes; the reasons."""
    tree = Tree(world.container / name)
    before = (inventory(tree), world.branches())
    with world.service() as service, pytest.raises(Conflict) as why:
        service.remove(name, cwd=str(world.trunk), agent="ada")
    assert (inventory(tree), world.branches()) == before
    return f"{why.value.message}\n{why.value.hint}"


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_work_is_refused_with_the_reason(world: World, make: Callable[[World, Tree], None]) -> None:
    make(world, world.add("a"))
    assert CASES[make] in refused(world, "feat-a")


@contextmanager
def running(tree: Tree) -> Iterator[int]:
    (tree.path / "lib").mkdir(exist_ok=True)
    process = subprocess.Popen(["sleep", "1000"], cwd=tree.path / "lib")
    try:
        # Popen returns when the program is taken; its words are there a moment later.
        until(lambda: platform.argv(process.pid), what="its command line")
        yield process.pid
    finally:
        process.kill()
        process.wait()


def test_a_process_that_runs_in_it_is_named(world: World) -> None:
    with running(world.add("a")) as pid:
        assert f"sleep 1000 (pid {pid})" in refused(world, "feat-a")
    world.ok("remove", name="a")


def test_what_another_holds_is_not_removed_even_by_force(world: World) -> None:
    tree = world.add("a")
    with services(world.home.database) as (worktrees, claims):
        claims.claim("feat-a", agent="grace", cwd=str(tree))
        for force in (False, True):
            with pytest.raises(Conflict, match="grace"):
                worktrees.service.remove("feat-a", force=force, cwd=str(world.trunk), agent="ada")
        assert worktrees.service.remove("feat-a", cwd=str(world.trunk), agent="grace").branch_deleted


def test_the_trunk_stays(world: World) -> None:
    with world.service() as service:
        for name in ("trunk", "trunk-main", str(world.trunk)):
            with pytest.raises(Conflict, match="trunk"):
                service.remove(name, force=True, cwd=str(world.trunk))


# ---- what landed ----------------------------------------------------------------------------


def _squashed(world: World, tree: Tree) -> None:
    world.trunk.git("merge", "-q", "--squash", "feat-a")
    world.trunk.git("commit", "-q", "-m", "all of it")


def _rebased(world: World, tree: Tree) -> None:
    world.trunk.commit("other.txt", "one\n")
    world.trunk.git("cherry-pick", "feat-a~1", "feat-a")


def _merged(world: World, tree: Tree) -> None:
    world.trunk.git("merge", "-q", "--no-ff", "-m", "merge", "feat-a")


def _pushed(world: World, tree: Tree) -> None:
    tree.git("push", "-q", "origin", "feat-a")


@pytest.mark.parametrize("land", [_squashed, _rebased, _merged, _pushed])
def test_what_landed_goes_without_force(world: World, land: Callable[[World, Tree], None]) -> None:
    tree = world.add("a")
    tree.commit("one.txt", "one\n")
    tree.commit("two.txt", "two\n")
    land(world, tree)
    world.trunk.commit("later.txt", "more\n")
    assert world.ok("remove", name="a")["branch_deleted"]
    assert set(world.agree().values()) == {"main"}


# ---- negative controls ------------------------------------------------------------------------


def test_without_the_guard_these_checks_fail(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal_rules, "reasons", lambda found: ())
    for make in (changed, unpushed, untracked):
        make(world, world.add("a"))
        with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
            refused(world, "feat-a")


def test_without_settling_a_killed_creation_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Repairing, "settle", lambda *_: None)
    world.run("add", type="feat", name="a", kill="worktrees.add:checked-out")
    with world.service() as service:
        service.repair(cwd=str(world.trunk))
    with pytest.raises(AssertionError):
        world.agree()


def test_without_taking_back_a_killed_creation_is_seen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Creating, "undo", lambda *_, **__: True)
    world.run("add", type="feat", name="a", kill="worktrees.add:begun")
    with world.service() as service:
        service.repair(cwd=str(world.trunk))
    with pytest.raises(AssertionError):
        world.agree()


def test_an_unknown_way_to_merge(world: World) -> None:
    world.add("a")
    with world.service() as service, pytest.raises(InvalidInput, match=r"merge, squash or rebase|no way"):
        service.merge("feat-a", how="octopus", cwd=str(world.trunk))
