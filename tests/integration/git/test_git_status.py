"""How worktrees stand, by the real git."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.git.tree import Tree
from zdriver.core.errors import ZdriverError
from zdriver.git import counting, status
from zdriver.git.status import State, state, states

Make = Callable[..., Tree]


def test_counts(tree: Tree) -> None:
    for name in ("a", "b", "c", "d"):
        tree.commit(name, name * 50)
    tree.git("mv", "a", "re\tnamed")
    tree.write("b", "changed")
    tree.write("c", "staged")
    tree.git("add", "c")
    tree.write("c", "staged, and changed")
    tree.write("new\nline", "")
    tree.write("folder/x", "")
    tree.write("folder/y", "")
    found = state(str(tree), "main")
    assert (found.staged, found.changed, found.untracked, found.conflicted) == (2, 2, 2, 0)
    assert (found.branch, found.head, found.operation) == ("main", tree.head, "")
    assert not found.clean


def test_configuration_does_not_hide_work(tree: Tree) -> None:
    tree.git("config", "status.showUntrackedFiles", "no")
    tree.git("config", "status.branch", "false")
    tree.git("config", "diff.ignoreSubmodules", "all")
    tree.write("new", "")
    assert state(str(tree), "main").untracked == 1


def test_a_submodule_s_changes_count(tree: Tree, make: Make) -> None:
    inner = make("inner")
    inner.commit("file", "x")
    tree.git("submodule", "--quiet", "add", str(inner), "sub")
    tree.git("commit", "-q", "-m", "sub")
    tree.git("config", "submodule.sub.ignore", "all")
    tree.write("sub/untracked", "")
    assert state(str(tree), "main").changed == 1


def test_before_the_first_commit(make: Make) -> None:
    empty = make("empty")
    assert state(str(empty), "main") == State(branch="main")
    empty.write("x", "")
    empty.git("add", "x")
    assert state(str(empty), "main").staged == 1


def test_detached(tree: Tree) -> None:
    tree.git("checkout", "-q", "--detach")
    assert state(str(tree), "main") == State(head=tree.head)


def test_beside_base_and_upstream(tree: Tree, folder: Path) -> None:
    tree.git("clone", "-q", "--bare", str(tree), str(folder / "x.git"))
    tree.git("remote", "add", "origin", str(folder / "x.git"))
    made = tree.worktree("feat", "feat")
    made.commit("one", "1")
    made.git("push", "-q", "-u", "origin", "feat")
    made.commit("two", "2")
    tree.commit("three", "3")
    found = state(str(made), "main")
    assert (found.ahead, found.behind) == (2, 1)
    assert (found.upstream, found.up_ahead, found.up_behind, found.up_gone) == ("origin/feat", 1, 0, False)
    tree.git("update-ref", "-d", "refs/remotes/origin/feat")
    assert state(str(made), "main").up_gone


@pytest.mark.parametrize("most", [5000, 1])
def test_ahead_and_behind_of_many(tree: Tree, make: Make, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """All at once, and one by one where too much history lies between: always what git counts."""
    monkeypatch.setattr(counting, "_MOST", most)
    tree.commit("a", "1")
    made = [tree.worktree(f"w{number}", f"feat/{number}") for number in range(5)]
    for number, one in enumerate(made):
        for step in range(number):
            one.commit(f"f{step}", str(step))
    tree.commit("b", "2")
    made[3].git("merge", "-q", "--no-edit", "main")
    made[4].git("merge", "-q", "--no-edit", "feat/2")
    other = make("other")
    other.commit("x", "x")
    tree.git("fetch", "-q", str(other), "main:stranger")
    bases = {str(one): "main" for one in made} | {str(made[1]): "feat/4", str(tree): "stranger"}
    for path, found in states(bases).items():
        assert isinstance(found, State)
        said = tree.git("rev-list", "--left-right", "--count", f"{found.head}...{bases[path]}")
        assert [found.ahead, found.behind] == [int(word) for word in said.split()], path


def test_a_base_that_is_gone(tree: Tree) -> None:
    found = state(str(tree), "no-such")
    assert not found.base_known
    assert state(str(tree), "HEAD").base_known


def test_one_that_git_cannot_read_does_not_spoil_the_others(tree: Tree) -> None:
    good, broken = tree.worktree("good", "good"), tree.worktree("broken", "broken")
    own = Path(broken.git("rev-parse", "--absolute-git-dir"))
    (own / "index").write_bytes(b"DIRCnonsense")
    found = states({str(good): "main", str(broken): "main", f"{good}/none": "main"})
    assert isinstance(found[str(good)], State)
    error = found[str(broken)]
    assert isinstance(error, ZdriverError)
    assert "index" in error.message
    assert isinstance(found[f"{good}/none"], ZdriverError)


def test_what_is_under_way(tree: Tree) -> None:
    made = tree.worktree("feat", "feat")
    ours = made.commit("read me", "two\n")
    theirs = tree.commit("read me", "three\n")
    seen = []
    for begin, end in (
        (("merge", "main"), ("merge", "--abort")),
        (("cherry-pick", theirs), ("cherry-pick", "--abort")),
        (("rebase", "main"), ("rebase", "--abort")),
        (("revert", "--no-edit", f"{ours}~1"), ("revert", "--abort")),
        (("bisect", "start"), ("bisect", "reset")),
    ):
        made.git(*begin, ok=False)
        found = state(str(made), "main")
        seen.append((found.operation, found.conflicted))
        made.git(*end, ok=False)
    assert seen == [("merge", 1), ("cherry-pick", 1), ("rebase", 1), ("revert", 1), ("bisect", 0)]
    patch = made.git("format-patch", "-1", "--stdout", theirs)
    made.git("am", stdin=patch.encode() + b"\n", ok=False)
    assert status.state(str(made), "main").operation == "am"


def test_sparse_checkout(tree: Tree) -> None:
    tree.commit("in/a", "x")
    tree.commit("out/b", "x")
    made = tree.worktree("feat", "feat")
    made.git("sparse-checkout", "set", "in")
    assert not (made.path / "out").exists()
    assert state(str(made), "main").clean


def test_nothing_is_written(tree: Tree) -> None:
    index = tree.path / ".git" / "index"
    (tree.path / "read me").touch()
    before = index.stat()
    state(str(tree), "main")
    assert index.stat().st_mtime_ns == before.st_mtime_ns
    (tree.path / ".git" / "index.lock").touch()
    assert state(str(tree), "main").clean, "nor is a lock waited for"
