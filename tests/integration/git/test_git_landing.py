"""Branches merged, squashed and rebased into their base: all of it, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.git.tree import Tree
from zdriver.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from zdriver.git import branches, worktrees
from zdriver.git.landing import How, land

Make = Callable[..., Tree]
WAYS: tuple[How, ...] = ("merge", "squash", "rebase")


@pytest.fixture
def feat(tree: Tree) -> Tree:
    made = tree.worktree("feat", "feat")
    made.commit("new", "a\n", "first\n\nwith more to say")
    made.commit("new", "a\nb\n", "second")
    tree.commit("other", "x\n")
    return made


@pytest.mark.parametrize("how", WAYS)
def test_files_follow_and_other_work_stays(tree: Tree, feat: Tree, how: How) -> None:
    tree.write("other", "not committed\n")
    tree.write("untracked", "mine\n")
    before = tree.head
    done = land(tree.git_dir, "feat", "main", how=how)
    assert (done.before, done.commit, done.path) == (before, tree.head, str(tree))
    assert (tree.path / "new").read_text() == "a\nb\n"
    assert (tree.path / "other").read_text() == "not committed\n"
    assert tree.git("status", "--porcelain") == " M other\n?? untracked"
    assert tree.git("fsck", "--no-dangling") == ""
    assert branches.landed(tree.git_dir, "feat", "main")
    assert land(tree.git_dir, "feat", "main", how=how).commit == done.commit, "twice is once"
    count = {"merge": 3, "squash": 1, "rebase": 2}[how]
    assert tree.git("rev-list", "--count", f"{before}..main") == str(count)
    assert "feat" in tree.git("reflog", "-1", "main")


@pytest.mark.parametrize("how", WAYS)
def test_a_conflict_changes_nothing(tree: Tree, feat: Tree, how: How) -> None:
    feat.commit("other", "conflicting\n")
    feat.commit("read me", "one\nmore\n")
    before = tree.snapshot(), feat.snapshot()
    with pytest.raises(Conflict, match="other") as raised:
        land(tree.git_dir, "feat", "main", how=how)
    assert "read me" not in raised.value.message
    assert (tree.snapshot(), feat.snapshot()) == before


@pytest.mark.parametrize("how", WAYS)
def test_uncommitted_work_in_the_way(tree: Tree, feat: Tree, how: How) -> None:
    tree.write("new", "mine, untracked\n")
    feat.commit("read me", "theirs\n")
    tree.write("read me", "mine\n")
    before = tree.snapshot()
    with pytest.raises(Conflict, match="would be overwritten") as raised:
        land(tree.git_dir, "feat", "main", how=how)
    assert "read me" in raised.value.message or "new" in raised.value.message
    assert tree.snapshot() == before


@pytest.mark.parametrize("how", WAYS)
def test_a_base_that_is_checked_out_nowhere(tree: Tree, feat: Tree, how: How) -> None:
    tree.git("checkout", "-q", "--detach")
    before = tree.head
    done = land(tree.git_dir, "feat", "main", how=how)
    assert done.path == ""
    assert tree.head == before
    assert branches.local(tree.git_dir, "main") == done.commit
    assert tree.git("show", "main:new") == "a\nb"


def test_a_base_in_a_worktree_of_a_bare_repository(tree: Tree, feat: Tree, folder: Path) -> None:
    tree.git("clone", "-q", "--bare", str(tree), str(folder / "x.git"))
    git_dir = f"{folder}/x.git"
    worktrees.add(git_dir, f"{folder}/main", branch="main", new_branch=False)
    assert land(git_dir, "feat", "main", how="merge").path == f"{folder}/main"
    assert (folder / "main" / "new").exists()


def test_fast_forward_and_message(tree: Tree) -> None:
    made = tree.worktree("feat", "feat")
    tip = made.commit("new", "a\n", "subject\n\nbody")
    assert land(tree.git_dir, "feat", "main", how="merge").commit == tip
    made.commit("new", "b\n", "next\n\nits body")
    land(tree.git_dir, "feat", "main", how="squash")
    assert tree.git("log", "-1", "--format=%B").strip() == "next\n\nits body"
    made.git("reset", "-q", "--hard", "main")
    made.commit("new", "c\n", "three")
    made.commit("new", "d\n", "four")
    land(tree.git_dir, "feat", "main", how="squash")
    assert tree.git("log", "-1", "--format=%B").strip() == "feat\n\n* three\n* four"
    tree.commit("other", "y")
    made.git("reset", "-q", "--hard", "main~1")
    made.commit("new", "e\n", "five")
    land(tree.git_dir, "feat", "main", how="merge", message="said so")
    assert tree.git("log", "-1", "--format=%s %p").split()[:2] == ["said", "so"]


def test_rebased_commits_keep_author_and_message(tree: Tree, feat: Tree) -> None:
    who = {"GIT_AUTHOR_NAME": "Ünï <x", "GIT_AUTHOR_EMAIL": "u@x", "GIT_AUTHOR_DATE": "1600000000 +0530"}
    feat.write("latin", "x")
    feat.git("add", ".")
    message = "caf\xe9\n\nbody\n".encode("latin-1")
    feat.git("-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "-F", "-", stdin=message, env=who)
    land(tree.git_dir, "feat", "main", how="rebase")
    shown = "--format=%an|%ae|%ad|%e|%B"
    theirs = feat.git("log", "-3", "--date=raw", shown)
    assert tree.git("log", "-3", "--date=raw", shown) == theirs
    assert tree.git("log", "-1", "--format=%cn") == "Ada"


def test_rebase_leaves_out_what_is_there(tree: Tree, feat: Tree) -> None:
    tree.git("cherry-pick", "feat~1")
    before = tree.head
    land(tree.git_dir, "feat", "main", how="rebase")
    assert tree.git("log", "--format=%s", f"{before}..main") == "second"


def test_rebase_does_not_lose_what_a_merge_changed(tree: Tree, feat: Tree) -> None:
    feat.git("merge", "-q", "--no-commit", "main")
    feat.write("sneaked in", "x")
    feat.git("add", ".")
    feat.git("commit", "-q", "-m", "merge")
    before = tree.snapshot()
    with pytest.raises(Conflict, match="a rebase would lose"):
        land(tree.git_dir, "feat", "main", how="rebase")
    assert tree.snapshot() == before
    land(tree.git_dir, "feat", "main", how="squash")
    assert (tree.path / "sneaked in").exists()


def test_a_base_that_is_being_rebased(tree: Tree, feat: Tree) -> None:
    tree.git("branch", "elsewhere", "main~1")
    Tree(tree.path).git("checkout", "-q", "elsewhere")
    tree.commit("other", "z\n")
    tree.git("checkout", "-q", "main")
    tree.git("rebase", "elsewhere", ok=False)
    before = tree.snapshot()
    with pytest.raises(Conflict, match="being rebased"):
        land(tree.git_dir, "feat", "main", how="merge")
    assert tree.snapshot() == before


def test_a_merge_under_way_in_the_base(tree: Tree, feat: Tree) -> None:
    tree.git("branch", "clash", "main~1")
    clash = Tree(tree.path.parent / "clash")
    tree.git("worktree", "add", "-q", str(clash), "clash")
    clash.commit("other", "z\n")
    tree.git("merge", "clash", ok=False)
    before = tree.snapshot()
    with pytest.raises(Exception, match="merg"):
        land(tree.git_dir, "feat", "main", how="merge")
    assert tree.snapshot() == before


def test_nobody_to_commit_as(tree: Tree, feat: Tree, folder: Path) -> None:
    (folder / "home" / ".gitconfig").write_text("[user]\n useConfigOnly = true\n")
    before = tree.snapshot()
    with pytest.raises(Unavailable) as raised:
        land(tree.git_dir, "feat", "main", how="merge")
    assert "user.name" in raised.value.hint
    assert tree.snapshot() == before


def test_hostile_file_names(tree: Tree, feat: Tree) -> None:
    name = 'new\nline\t"ünï'
    feat.commit(name, "a\n")
    tree.commit(name, "b\n")
    with pytest.raises(Conflict, match='new\nline\t"ünï'):
        land(tree.git_dir, "feat", "main", how="merge")


def test_bad_input(tree: Tree, feat: Tree) -> None:
    with pytest.raises(NotFound, match="no branch nope"):
        land(tree.git_dir, "nope", "main", how="merge")
    with pytest.raises(InvalidInput, match="into itself"):
        land(tree.git_dir, "main", "main", how="merge")
    with pytest.raises(InvalidInput, match="octopus"):
        land(tree.git_dir, "feat", "main", how="octopus")  # type: ignore[arg-type]  # what a wire may bring
