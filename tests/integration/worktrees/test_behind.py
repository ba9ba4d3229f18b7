"""What was done behind zdriver's back, or stands in its way: seen, said, and mended by `repair`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.git.tree import Tree
from tests.integration.worktrees.world import World
from zdriver.core.errors import Conflict, NotFound, Unavailable
from zdriver.worktrees.model import Line


def lines(world: World) -> dict[str, Line]:
    with world.service() as service:
        return {line.worktree.name: line for line in service.list(cwd=str(world.trunk))}


def test_one_moved_by_git_is_followed(world: World) -> None:
    tree = world.add("a")
    world.trunk.git("worktree", "move", str(tree), "../moved away")
    found = lines(world)["feat-a"]
    assert found.worktree.path == str(world.container / "moved away")
    assert found.trouble == ""


def test_one_moved_by_hand_is_found_again_by_repair(world: World) -> None:
    tree = world.add("a")
    tree.path.rename(world.container / "moved")
    assert "gone" in lines(world)["feat-a"].trouble
    with world.service() as service:
        (done,) = service.repair(cwd=str(world.trunk))
    assert done.done == "git knows it"
    found = lines(world)["feat-a"]
    assert (found.worktree.path, found.trouble) == (str(world.container / "moved"), "")


def test_a_folder_deleted_by_hand_is_said_and_made_anew(world: World) -> None:
    tree = world.add("a")
    commit = tree.commit("code.py", "two\n")
    shutil.rmtree(tree.path)
    assert "its folder is gone" in lines(world)["feat-a"].trouble
    with world.service() as service:
        added = service.add("feat", "a", cwd=str(world.trunk))
    assert added.created
    assert tree.head == commit  # its branch was there, and is used
    world.agree()


def test_one_removed_by_git_is_off_the_list(world: World) -> None:
    tree = world.add("a")
    (tree.path / ".env").unlink()
    world.trunk.git("worktree", "remove", "--force", str(tree))
    assert "feat-a" not in lines(world)
    world.agree()


def test_one_made_by_git_is_listed_and_adopted(world: World) -> None:
    tree = world.trunk.worktree("feat-by-hand", "by-hand")
    found = lines(world)["feat-by-hand"].worktree
    assert (found.id, found.type, found.branch) == ("", "feat", "by-hand")
    with world.service() as service:
        adopted = service.adopt(str(tree), cwd=str(world.trunk))
        assert service.add("feat", "by-hand", cwd=str(world.trunk)).worktree.id == adopted.id
    assert lines(world)["feat-by-hand"].worktree.id == adopted.id


def test_a_branch_that_was_switched_is_followed(world: World) -> None:
    tree = world.add("a")
    tree.git("switch", "-q", "-c", "other")
    assert lines(world)["feat-a"].worktree.branch == "other"


# ---- in the way -------------------------------------------------------------------------------


def _file(path: Path) -> None:
    path.write_text("mine\n")


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "file").write_text("mine\n")


def _link(path: Path) -> None:
    path.symlink_to("/nowhere")


def _foreign_repository(path: Path) -> None:
    path.mkdir()
    Tree(path).git("init", "-q")


@pytest.mark.parametrize("make", [_file, _folder, _link, _foreign_repository])
def test_what_is_in_the_way_stays_and_is_said(world: World, make: Callable[[Path], None]) -> None:
    path = world.container / "feat-a"
    make(path)
    before = (world.branches(), sorted(each.name for each in path.parent.rglob("*")))
    with world.service() as service, pytest.raises(Conflict, match=r"in the way|something in it"):
        service.add("feat", "a", cwd=str(world.trunk))
    assert (world.branches(), sorted(each.name for each in path.parent.rglob("*"))) == before
    assert [each.name for each in world.known()] == ["trunk-main"]


def test_an_empty_folder_is_not_in_the_way(world: World) -> None:
    (world.container / "feat-a").mkdir()
    world.add("a")
    world.agree()


def test_a_branch_checked_out_elsewhere_is_said(world: World) -> None:
    world.trunk.worktree("else where", "feat-a")
    with world.service() as service, pytest.raises(Conflict, match=r"checked out at .*else where"):
        service.add("feat", "a", cwd=str(world.trunk))


def test_a_local_branch_is_used_as_it_is(world: World) -> None:
    world.trunk.git("switch", "-q", "-c", "feat-a")
    commit = world.trunk.commit("code.py", "two\n")
    world.trunk.git("switch", "-q", "main")
    tree = world.add("a")
    assert tree.head == commit
    world.ok("remove", name="a", force=True)
    assert world.branches()["feat-a"] == commit  # it was not made by zdriver, so it stays


def test_a_remote_branch_is_followed(world: World) -> None:
    world.trunk.git("push", "-q", "origin", "main:feat-a")
    world.trunk.git("fetch", "-q")
    tree = world.add("a")
    assert tree.git("rev-parse", "--abbrev-ref", "@{upstream}") == "origin/feat-a"
    world.ok("remove", name="a")
    assert world.trunk.git("ls-remote", "origin", "refs/heads/feat-a") != ""


# ---- a git that was killed ----------------------------------------------------------------------


def test_an_entry_that_git_left_empty_is_mended(world: World) -> None:
    """Every git stumbles over it; so did those that came while another git was about to write it."""
    tree = world.add("a")
    entry = Path(world.trunk.git_dir, "worktrees", "feat-a", "commondir")
    entry.write_bytes(b"")
    with world.service() as service:
        with pytest.raises(Unavailable) as refused:
            service.list(cwd=str(world.trunk))
        assert "zdriver worktree repair" in refused.value.hint
        (done,) = service.repair(cwd=str(world.trunk))
    assert done.name == "feat-a"
    assert str(tree) in world.agree()


def test_a_git_that_was_killed_while_it_checked_out(world: World) -> None:
    """git's own entry is locked `initializing`, the folder half there: taken back, then made anew."""
    world.run("add", type="feat", name="a", kill="worktrees.add:checked-out")
    tree = Tree(world.container / "feat-a")
    own = Path(world.trunk.git_dir, "worktrees", "feat-a")
    (own / "locked").write_text("initializing")
    (tree.path / "lib" / "deep.py").unlink()
    world.add("a")
    assert (tree.path / "lib" / "deep.py").exists()
    world.agree()


def test_a_file_of_somebodys_in_a_half_made_one_is_not_deleted(world: World) -> None:
    world.run("add", type="feat", name="a", kill="worktrees.add:checked-out")
    tree = Tree(world.container / "feat-a")
    Path(world.trunk.git_dir, "worktrees", "feat-a", "locked").write_text("initializing")
    mine = tree.write("mine.txt", "mine\n")
    with world.service() as service:
        with pytest.raises(Conflict, match="files of somebody"):
            service.add("feat", "a", cwd=str(world.trunk))
        assert mine.read_text() == "mine\n"
        mine.rename(world.home.path / "mine.txt")
        assert service.add("feat", "a", cwd=str(world.trunk)).created
    world.agree()


def test_removing_what_was_never_there(world: World) -> None:
    with world.service() as service, pytest.raises(NotFound):
        service.remove("nothing", cwd=str(world.trunk))


def test_a_branch_of_somebodys_that_was_switched_to_is_not_deleted(world: World) -> None:
    world.trunk.git("branch", "release")
    tree = world.add("a")
    tree.git("switch", "-q", "release")
    assert lines(world)["feat-a"].worktree.branch == "release"
    removed = world.ok("remove", name="a", force=True)
    assert not removed["branch_deleted"]
    assert set(world.branches()) == {"main", "release", "feat-a"}
    world.ok("recover", removal="feat-a")
    assert tree.git("branch", "--show-current") == "release"
