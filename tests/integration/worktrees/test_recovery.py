"""What a removal kept comes back as it was, for 14 days; then it is gone for good."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.git.tree import Tree
from tests.integration.worktrees.test_guards import detached, hidden, merging, rebasing, staged
from tests.integration.worktrees.victim import services
from tests.integration.worktrees.world import World, inventory
from zdriver.core.clock import now_us
from zdriver.core.errors import Conflict, NotFound
from zdriver.daemon.expiring import Expiring
from zdriver.worktrees import trash
from zdriver.worktrees.removal_rules import KEPT_DAYS, KEPT_US
from zdriver.worktrees.service import WorktreesService

MINUTE = 60_000_000


def cherry_picking(world: World, tree: Tree) -> None:
    tree.commit("code.py", "theirs\n")
    tree.git("push", "-q", "origin", "HEAD")
    tree.git("cherry-pick", world.trunk.commit("code.py", "ours\n"), ok=False)


def bisecting(world: World, tree: Tree) -> None:
    for number in range(5):
        tree.commit("code.py", f"{number}\n")
    tree.git("bisect", "start", "HEAD", "HEAD~4")


def odd(world: World, tree: Tree) -> None:
    """What is rarely thought of: kinds that change, files git was told to forget, names that are no text."""
    for name in (
        "gone.txt",
        "moved.txt",
        "linked.txt",
        "folder.txt",
        "mode.sh",
        "dropped.txt",
        "was/dir.txt",
    ):
        tree.write(name, f"{name}\n")
    tree.git("add", ".")
    tree.git("commit", "-q", "-m", "many")
    (tree.path / "gone.txt").unlink()
    tree.git("mv", "moved.txt", "moved here.txt")
    (tree.path / "linked.txt").unlink()
    (tree.path / "linked.txt").symlink_to("code.py")
    (tree.path / "folder.txt").unlink()
    tree.write("folder.txt/inside.txt", "mine\n")
    (tree.path / "mode.sh").chmod(0o755)
    tree.git("rm", "-q", "--cached", "dropped.txt")
    (tree.path / "was" / "dir.txt").unlink()
    (tree.path / "was").rmdir()
    tree.write("was", "a file now\n")
    (tree.path / os.fsdecode(b"no text \xff\xfe.txt")).write_text("mine\n")


def repository_inside(world: World, tree: Tree) -> None:
    """One that git does not know: not a submodule, and not ignored."""
    inner = Tree(tree.path / "vendor" / "inner")
    inner.path.mkdir(parents=True)
    inner.git("init", "-q", "-b", "main")
    inner.commit("inner.txt", "one\n")
    inner.write("untracked.txt", "mine\n")


def sparse(world: World, tree: Tree) -> None:
    tree.git("sparse-checkout", "set", "--no-cone", "/*", "!/lib/")
    tree.write("code.py", "changed\n")


def filled(world: World, tree: Tree) -> None:
    world.fill(tree)


def clean(world: World, tree: Tree) -> None:
    pass


def there_and_back(world: World, service: WorktreesService, name: str) -> None:
    removed = service.remove(name, force=True, cwd=str(world.trunk))
    assert not Path(removed.worktree.path).exists()
    service.recover(removed.id, cwd=str(world.trunk))


@pytest.mark.parametrize(
    "make",
    [
        *(clean, filled, staged, merging, rebasing, cherry_picking, bisecting, detached),
        *(odd, repository_inside, sparse, hidden),
    ],
)
def test_it_comes_back_bit_by_bit(world: World, make: Callable[[World, Tree], None]) -> None:
    tree = world.add("a")
    make(world, tree)
    before = inventory(tree)
    with world.service() as service:
        for _ in range(2 if make is filled else 1):  # what was recovered can be removed and recovered again
            there_and_back(world, service, "feat-a")
            assert inventory(tree) == before
    world.trunk.git("fsck", "--strict", "--no-dangling")


def test_a_rebase_that_was_under_way_goes_on(world: World) -> None:
    tree = world.add("a")
    rebasing(world, tree)
    with world.service() as service:
        there_and_back(world, service, "feat-a")
    tree.write("code.py", "both\n")
    tree.git("add", "code.py")
    tree.git("-c", "core.editor=true", "rebase", "--continue")
    assert tree.git("branch", "--show-current") == "feat-a"
    assert tree.git("log", "--format=%s", "main..") == "change code.py"


def test_what_was_built_is_deleted_and_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trash, "SMALL_FILES", 5)
    tree = world.add("a")
    for number in range(10):
        tree.write(f"build/{number}.o", "built\n")
    tree.write("kept.local", "mine\n")
    with world.service() as service:
        removed = service.remove("feat-a", cwd=str(world.trunk))
        assert "10 ignored files deleted" in removed.kept
        service.recover(removed.id, cwd=str(world.trunk))
    assert (tree.path / "kept.local").read_text() == "mine\n"
    assert not (tree.path / "build").exists()


def test_of_much_that_is_ignored_the_smallest_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trash, "ALL_BYTES", 1000)
    tree = world.add("a")
    for number in range(10):
        tree.write(f"{number}.local", "x" * 300)
    tree.write("z.local", "mine\n")
    with world.service() as service:
        removed = service.remove("feat-a", cwd=str(world.trunk))
        assert "7 ignored files deleted" in removed.kept
        service.recover(removed.id, cwd=str(world.trunk))
    assert {each.name for each in tree.path.glob("*.local")} == {"z.local", "0.local", "1.local", "2.local"}


def test_its_branch_has_moved_on(world: World) -> None:
    tree = world.add("a")
    tree.commit("code.py", "two\n")
    commit = tree.head
    with world.service() as service:
        removed = service.remove("feat-a", force=True, cwd=str(world.trunk))
        assert removed.branch_deleted
        world.trunk.git("branch", "feat-a", "main")
        added = service.recover(removed.id, cwd=str(world.trunk))
    assert added.worktree.branch == "feat-a-recovered"
    assert "feat-a has other commits by now" in added.warnings[0]
    assert (tree.head, world.branches()["feat-a"]) == (commit, world.trunk.head)


def test_something_took_its_place(world: World) -> None:
    tree = world.add("a")
    tree.commit("code.py", "two\n")
    commit = tree.head
    with world.service() as service:
        removed = service.remove("feat-a", force=True, cwd=str(world.trunk))
        mine = world.container / "feat-a" / "mine.txt"
        mine.parent.mkdir()
        mine.write_text("mine\n")
        with pytest.raises(Conflict, match="in the way"):
            service.recover(removed.id, cwd=str(world.trunk))
        mine.rename(world.home.path / "mine.txt")
        service.recover(removed.id, cwd=str(world.trunk))
        assert tree.head == commit
        with pytest.raises(NotFound):
            service.recover(removed.id, cwd=str(world.trunk))


def test_two_of_one_name_are_told_apart(world: World) -> None:
    commits = []
    with world.service() as service:
        for text in ("one", "two"):
            tree = Tree(Path(service.add("feat", "a", cwd=str(world.trunk)).worktree.path))
            commits.append(tree.commit("code.py", text))
            service.remove("feat-a", force=True, cwd=str(world.trunk))
        newest, oldest = service.removals(cwd=str(world.trunk))
        assert [newest.head, oldest.head] == commits[::-1]
        service.recover(oldest.id, cwd=str(world.trunk))
        assert tree.head == commits[0]
        with pytest.raises(Conflict, match=r"already|in the way"):
            service.recover(newest.id, cwd=str(world.trunk))


def zdriver_refs(world: World) -> str:
    return world.trunk.git("for-each-ref", "refs/zdriver")


def test_it_is_kept_14_days_and_no_longer(world: World) -> None:
    world.fill(world.add("a"))
    with services(world.home.database) as (worktrees, _):
        removals = worktrees.expiring._removals
        removed = worktrees.service.remove("feat-a", force=True, cwd=str(world.trunk))
        (kept,) = worktrees.service.removals(cwd=str(world.trunk))
        assert (kept.expires_at - kept.removed_at).days == KEPT_DAYS
        before = (zdriver_refs(world), world.kept())
        assert Path(kept.trash).is_dir()
        assert Expiring(removals, clock=lambda: now_us() + KEPT_US - MINUTE).look() == 0
        assert (zdriver_refs(world), world.kept()) == before
        late = Expiring(removals, clock=lambda: now_us() + KEPT_US + MINUTE)
        assert late.look() == 1
        assert late.look() == 0
        assert zdriver_refs(world) == ""
        assert not Path(kept.trash).exists()
        assert worktrees.service.removals(cwd=str(world.trunk)) == ()
        with pytest.raises(NotFound):
            worktrees.service.recover(removed.id, cwd=str(world.trunk))
    world.agree()


def test_what_was_recovered_does_not_expire(world: World) -> None:
    tree = world.add("a")
    world.fill(tree)
    before = inventory(tree)
    with services(world.home.database) as (worktrees, _):
        there_and_back(world, worktrees.service, "feat-a")
        Expiring(worktrees.expiring._removals, clock=lambda: now_us() + 2 * KEPT_US).look()
    assert inventory(tree) == before
    world.agree()
