"""Whether work is safe elsewhere: as ancestor, by rebase, by squash, on a remote, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.git.tree import Tree
from zdriver.core.errors import Conflict, InvalidInput, NotFound
from zdriver.git import branches, fetching
from zdriver.git.branches import landed, unpushed

Make = Callable[..., Tree]


@pytest.fixture
def feat(tree: Tree) -> Tree:
    """A worktree on `feat` with two commits; main has gone on meanwhile."""
    made = tree.worktree("feat", "feat")
    made.commit("new", "a\n")
    made.commit("new", "a\nb\n")
    tree.commit("other", "x\n")
    return made


def _objects(tree: Tree) -> str:
    return tree.git("count-objects", "-v")


def test_not_at_all(tree: Tree, feat: Tree) -> None:
    before = _objects(tree)
    assert landed(tree.git_dir, "feat", "main") == ""
    assert unpushed(tree.git_dir, "feat", "main") == 2
    assert _objects(tree) == before, "nothing is written to find out"


def test_as_ancestor(tree: Tree, feat: Tree) -> None:
    tree.git("merge", "-q", "--no-edit", "feat")
    assert landed(tree.git_dir, "feat", "main") == "ancestor"
    assert unpushed(tree.git_dir, "feat", "main") == 0


def test_by_rebase(tree: Tree, feat: Tree) -> None:
    tree.git("cherry-pick", "main..feat")
    tree.commit("after", "x\n")
    assert landed(tree.git_dir, "feat", "main") == "rebase"
    assert unpushed(tree.git_dir, "feat", "main") == 0


def test_half_of_it_by_rebase(tree: Tree, feat: Tree) -> None:
    tree.git("cherry-pick", "feat~1")
    assert landed(tree.git_dir, "feat", "main") == ""


@pytest.mark.parametrize("reverted", [False, True])
def test_by_squash(tree: Tree, feat: Tree, reverted: bool) -> None:
    tree.git("merge", "-q", "--squash", "feat")
    tree.git("commit", "-q", "-m", "squashed (#12)")
    tree.commit("other", "y\n")
    if reverted:  # then merging would bring it back, and it has landed all the same
        tree.git("revert", "--no-edit", "HEAD~1")
    before = _objects(tree)
    assert landed(tree.git_dir, "feat", "main") == "squash"
    assert unpushed(tree.git_dir, "feat", "main") == 0
    assert _objects(tree) == before


def test_by_squash_with_the_base_merged_into_it(tree: Tree, feat: Tree) -> None:
    feat.git("merge", "-q", "--no-edit", "main")
    tree.git("merge", "-q", "--squash", "feat")
    tree.git("commit", "-q", "-m", "squashed")
    assert landed(tree.git_dir, "feat", "main") == "squash"


def test_what_only_a_merge_commit_changed_is_not_landed(tree: Tree, feat: Tree) -> None:
    tree.git("cherry-pick", "main..feat")
    feat.git("merge", "-q", "--no-commit", "main")
    feat.write("sneaked in", "by the merge\n")
    feat.git("add", ".")
    feat.git("commit", "-q", "-m", "merge")
    assert landed(tree.git_dir, "feat", "main") == ""
    assert unpushed(tree.git_dir, "feat", "main") > 0


def test_commits_that_add_up_to_nothing(tree: Tree) -> None:
    made = tree.worktree("feat", "feat")
    made.commit("new", "a\n")
    made.git("revert", "--no-edit", "HEAD")
    made.git("commit", "-q", "--allow-empty", "-m", "notes")
    tree.commit("other", "x\n")
    assert landed(tree.git_dir, "feat", "main") == "", "their history is nowhere else"
    assert unpushed(tree.git_dir, "feat", "main") == 3


def test_histories_that_have_nothing_in_common(tree: Tree, make: Make) -> None:
    other = make("other")
    other.commit("x", "x")
    tree.git("fetch", "-q", str(other), "main:stranger")
    assert landed(tree.git_dir, "stranger", "main") == ""
    assert unpushed(tree.git_dir, "stranger", "main") == 1


def test_a_fresh_branch_is_an_ancestor(tree: Tree) -> None:
    tree.git("branch", "feat")
    assert landed(tree.git_dir, "feat", "main") == "ancestor"


def test_squashed_on_the_remote(tree: Tree, feat: Tree, folder: Path) -> None:
    """The local main is behind; the pull request's branch was deleted there."""
    remote = _published(tree, folder)
    feat.git("push", "-q", "-u", "origin", "feat")
    assert unpushed(tree.git_dir, "feat", "main") == 0
    remote.git("checkout", "-q", "main")
    remote.git("merge", "-q", "--squash", "feat")
    remote.git("commit", "-q", "-m", "feat (#1)")
    remote.git("branch", "-D", "feat")
    fetching.fetch(tree.git_dir, "origin", prune=True)
    assert branches.remotes_with(tree.git_dir, "feat") == []
    assert landed(tree.git_dir, "feat", "main") == "squash"
    assert unpushed(tree.git_dir, "feat", "main") == 0


def test_pushed_in_part(tree: Tree, feat: Tree, folder: Path) -> None:
    _published(tree, folder)
    feat.git("push", "-q", "origin", "feat~1:refs/heads/elsewhere")
    feat.git("fetch", "-q")
    assert unpushed(tree.git_dir, "feat", "main") == 1
    assert unpushed(tree.git_dir, "feat") == 1


def _published(tree: Tree, folder: Path) -> Tree:
    tree.git("clone", "-q", "--no-local", str(tree), str(folder / "remote"))
    remote = Tree(folder / "remote")
    remote.git("checkout", "-q", "--detach")
    tree.git("remote", "add", "origin", str(remote))
    tree.git("fetch", "-q", "origin")
    tree.git("branch", "-q", "--set-upstream-to=origin/main", "main")
    return remote


def test_unknown_names(tree: Tree) -> None:
    with pytest.raises(NotFound, match="no branch or commit 'nope'"):
        landed(tree.git_dir, "nope", "main")
    with pytest.raises(NotFound):
        landed(tree.git_dir, "main", "--all")


# ---- refs ---------------------------------------------------------------------------------


def test_branches_loose_and_packed(tree: Tree) -> None:
    for name in ("a", "b/c", "ünï"):
        branches.create(tree.git_dir, name, tree.head)
    tree.git("pack-refs", "--all")
    branches.create(tree.git_dir, "loose", tree.head)
    new = tree.commit("more", "x")
    assert branches.names(tree.git_dir) == {
        **dict.fromkeys(("a", "b/c", "ünï", "loose"), tree.git("rev-parse", "main~1")),
        "main": new,
    }
    assert branches.resolve(tree.git_dir, "main~1") == branches.local(tree.git_dir, "b/c")
    for nothing in ("", "-x", "nope", "a\nb", "nul\0"):
        assert branches.resolve(tree.git_dir, nothing) is None


def test_created_once(tree: Tree) -> None:
    branches.create(tree.git_dir, "a", tree.head)
    with pytest.raises(Conflict):
        branches.create(tree.git_dir, "a", tree.head)
    with pytest.raises(Conflict):
        branches.create(tree.git_dir, "a/b", tree.head)
    with pytest.raises(InvalidInput):
        branches.create(tree.git_dir, "a b", tree.head)


def test_deleted_only_where_it_stood(tree: Tree) -> None:
    old = tree.head
    tree.git("branch", "a")
    tree.git("config", "branch.a.remote", "origin")
    with pytest.raises(Conflict):
        branches.delete(tree.git_dir, "a", expect="1" * 40)
    assert branches.local(tree.git_dir, "a") == old
    branches.delete(tree.git_dir, "a", expect=old)
    branches.delete(tree.git_dir, "a", expect=old)
    assert branches.local(tree.git_dir, "a") is None
    assert "branch.a" not in tree.git("config", "--list")
    with pytest.raises(Conflict, match="is checked out at"):
        branches.delete(tree.git_dir, "main", expect=old)


def test_a_branch_being_rebased_counts_as_checked_out(tree: Tree) -> None:
    made = tree.worktree("feat", "feat")
    made.commit("read me", "two\n")
    tree.commit("read me", "three\n")
    made.git("rebase", "main", ok=False)
    assert made.git("symbolic-ref", "-q", "HEAD", ok=False) == ""
    assert branches.checked_out_at(tree.git_dir, "feat") == str(made)


def test_own_refs(tree: Tree) -> None:
    ref = "refs/zdriver/removed/x"
    branches.set_ref(tree.git_dir, ref, tree.head, message="kept")
    branches.set_ref(tree.git_dir, ref, tree.head, expect=tree.head)
    with pytest.raises(Conflict):
        branches.set_ref(tree.git_dir, ref, tree.head, expect="")
    branches.delete_ref(tree.git_dir, ref)
    branches.delete_ref(tree.git_dir, ref, expect=tree.head)
    assert tree.git("for-each-ref", "refs/zdriver") == ""
    with pytest.raises(InvalidInput):
        branches.set_ref(tree.git_dir, "refs/x..y", tree.head)
