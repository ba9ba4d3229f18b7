"""Worktrees made, listed and removed by the real git, with everything in the way that can be."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.git.tree import Tree
from zdriver.core.errors import Conflict, InvalidInput, NotFound, Unavailable, ZdriverError
from zdriver.git import branches, calling, status, worktrees
from zdriver.git.targets import in_tree
from zdriver.testing import processes, until

Make = Callable[..., Tree]

#: Seconds: of a git that is waited for, not of one that is in the way.
PATIENCE = 30.0

HOSTILE = (
    *("new\nline", "ta\tb", "quo\"te's", "ünï-文字-🦀", "-dash", "--force", "back\\slash", " space "),
    "x" * 200,
)


@pytest.mark.parametrize("name", HOSTILE)
def test_any_folder_name(tree: Tree, name: str) -> None:
    path = f"{tree.path.parent}/{name}"
    assert worktrees.add(tree.git_dir, path, branch="feat", base="main", new_branch=True) == ()
    assert [one.path for one in worktrees.listed(tree.git_dir)] == [str(tree), path]
    assert branches.checked_out_at(tree.git_dir, "feat") == path
    Path(path, name).write_text("x")
    assert status.state(path, "main").untracked == 1
    with pytest.raises(ZdriverError, match="untracked files"):
        worktrees.remove(tree.git_dir, path, force=False)
    worktrees.remove(tree.git_dir, path, force=True)
    assert not os.path.lexists(path)
    assert len(worktrees.listed(tree.git_dir)) == 1


def test_bytes_that_are_no_text(tree: Tree) -> None:
    path = f"{tree.path.parent}/" + os.fsdecode(b"latin-\xe9")
    worktrees.add(tree.git_dir, path, branch="feat", new_branch=True)
    assert worktrees.listed(tree.git_dir)[1].path == path


def test_an_existing_branch_is_used_and_one_in_use_refused(tree: Tree) -> None:
    tree.git("branch", "feat")
    first, second = f"{tree.path.parent}/one", f"{tree.path.parent}/two"
    worktrees.add(tree.git_dir, first, branch="feat", new_branch=False)
    with pytest.raises(Conflict, match="already") as raised:
        worktrees.add(tree.git_dir, second, branch="feat", new_branch=False)
    assert first in raised.value.message
    with pytest.raises(Conflict, match="already exists"):
        worktrees.add(tree.git_dir, second, branch="feat", base="main", new_branch=True)
    assert branches.local(tree.git_dir, "feat") == tree.head
    assert not Path(second).exists()


def test_a_tag_of_the_branch_s_name(tree: Tree) -> None:
    old = tree.head
    tree.git("tag", "feat")
    tree.commit("more", "x")
    tree.git("branch", "feat")
    worktrees.add(tree.git_dir, f"{tree.path.parent}/w", branch="feat", new_branch=False)
    made = Tree(tree.path.parent / "w")
    assert made.git("symbolic-ref", "HEAD") == "refs/heads/feat"
    assert made.head == branches.resolve(tree.git_dir, "feat") != old


def test_a_remote_branch_is_followed(tree: Tree, folder: Path) -> None:
    tree.git("branch", "feat-x")
    tree.git("clone", "-q", str(tree), str(folder / "clone"))
    clone = Tree(folder / "clone")
    assert branches.remotes_with(clone.git_dir, "feat-x") == ["origin"]
    path = f"{folder}/w"
    worktrees.add(clone.git_dir, path, branch="feat-x", new_branch=True, track="origin/feat-x")
    assert branches.upstream(clone.git_dir, "feat-x") == "refs/remotes/origin/feat-x"
    worktrees.add(clone.git_dir, f"{folder}/v", branch="feat-y", base="origin/main", new_branch=True)
    assert branches.upstream(clone.git_dir, "feat-y") == "", "only where that was asked for"


def test_detached_locked_and_missing(tree: Tree) -> None:
    path = f"{tree.path.parent}/w"
    worktrees.add(tree.git_dir, path, branch="", base="main", new_branch=False, lock="on a stick\nof mine")
    one = worktrees.listed(tree.git_dir)[1]
    assert (one.detached, one.branch, one.head) == (True, "", tree.head)
    assert one.locked == "on a stick\nof mine"
    with pytest.raises(Conflict, match="lock"):
        worktrees.remove(tree.git_dir, path, force=False)
    assert worktrees.unlock(tree.git_dir, path)
    assert not worktrees.unlock(tree.git_dir, path)
    shutil.rmtree(path)
    assert worktrees.listed(tree.git_dir)[1].prunable
    worktrees.remove(tree.git_dir, path, force=False)
    assert len(worktrees.listed(tree.git_dir)) == 1


def test_half_removed(tree: Tree) -> None:
    linked = tree.worktree("w", "feat")
    (linked.path / ".git").unlink()
    worktrees.remove(tree.git_dir, str(linked), force=True)
    assert not linked.path.exists()
    assert len(worktrees.listed(tree.git_dir)) == 1


def test_prune_leaves_locked_ones(tree: Tree) -> None:
    for name in ("one", "two"):
        linked = tree.worktree(name, name)
        shutil.rmtree(linked.path)
    worktrees.lock(tree.git_dir, f"{tree.path.parent}/two", "stick")
    assert len(worktrees.prune(tree.git_dir)) == 1
    assert [one.branch for one in worktrees.listed(tree.git_dir)] == ["main", "two"]


def test_moved_by_hand(tree: Tree) -> None:
    linked = tree.worktree("w", "feat")
    new = linked.path.rename(linked.path.with_name("v"))
    assert worktrees.repair(tree.git_dir, [str(new)])
    assert worktrees.listed(tree.git_dir)[1].path == str(new)
    assert worktrees.repair(tree.git_dir) == ()


def test_a_post_checkout_hook_of_git_that_fails(tree: Tree) -> None:
    hooks = tree.path.parent / "hooks"
    hooks.mkdir()
    (hooks / "post-checkout").write_text("#!/bin/sh\necho no luck >&2\nexit 3\n")
    (hooks / "post-checkout").chmod(0o755)
    tree.git("config", "core.hooksPath", str(hooks))
    path = f"{tree.path.parent}/w"
    said = worktrees.add(tree.git_dir, path, branch="feat", base="main", new_branch=True)
    assert "no luck" in said
    assert "post-checkout hook failed" in said[-1]
    assert Path(path, "read me").exists()
    assert branches.local(tree.git_dir, "feat")


def test_a_hook_that_leaves_something_running(tree: Tree) -> None:
    """Its output stays open: git is done all the same."""
    hook = tree.path / ".git" / "hooks" / "post-checkout"
    hook.write_text('#!/bin/sh\necho started >&2\nsleep 600 &\necho $! > "$HOME/pid"\n')
    hook.chmod(0o755)
    path = f"{tree.path.parent}/w"
    said = worktrees.add(tree.git_dir, path, branch="feat", base="main", new_branch=True)
    assert said == ("started",)
    os.kill(int(Path(os.environ["HOME"], "pid").read_text()), 9)


def test_a_filter_that_is_missing(tree: Tree) -> None:
    """As with LFS pointers and no git-lfs: nothing of git's words is lost, nothing half done is left."""
    tree.commit(".gitattributes", "*.bin filter=lfs\n")
    tree.commit("big.bin", "version https://git-lfs.github.com/spec/v1\n")
    tree.git("config", "filter.lfs.smudge", "git-lfs-that-is-not-here smudge -- %f")
    path = f"{tree.path.parent}/w"
    worktrees.add(tree.git_dir, f"{tree.path.parent}/lenient", branch="ok", base="main", new_branch=True)
    tree.git("config", "filter.lfs.required", "true")
    with pytest.raises(Unavailable) as raised:
        worktrees.add(tree.git_dir, path, branch="feat", base="main", new_branch=True)
    assert "git-lfs-that-is-not-here" in raised.value.message
    assert "smudge filter lfs failed" in raised.value.message
    assert not Path(path).exists()
    assert branches.local(tree.git_dir, "feat") is None, "the branch that it made is gone again"
    assert [one.branch for one in worktrees.listed(tree.git_dir)] == ["main", "ok"]


def test_what_is_in_the_way(tree: Tree) -> None:
    path = tree.path.parent / "w"
    path.write_text("mine")
    with pytest.raises(Conflict, match="already exists"):
        worktrees.add(tree.git_dir, str(path), branch="feat", base="main", new_branch=True)
    assert path.read_text() == "mine"
    assert branches.local(tree.git_dir, "feat") is None
    path.unlink()
    path.mkdir()
    worktrees.add(tree.git_dir, str(path), branch="feat", base="main", new_branch=True)
    assert (path / "read me").exists()


def test_bad_names(tree: Tree) -> None:
    for branch in ("-f", "a b", "a..b", "x.lock", "a/.b", "@{x", "HEAD", "new\nline"):
        with pytest.raises(InvalidInput, match="not a branch name"):
            worktrees.add(tree.git_dir, f"{tree.path.parent}/w", branch=branch, base="main", new_branch=True)
    with pytest.raises(InvalidInput):
        worktrees.add(tree.git_dir, f"{tree.path.parent}/w", branch="x", base="--force", new_branch=True)
    with pytest.raises(ZdriverError, match="no-such-base"):
        worktrees.add(tree.git_dir, f"{tree.path.parent}/w", branch="x", base="no-such-base", new_branch=True)


def test_a_repository_without_commits(make: Make) -> None:
    empty = make("empty")
    with pytest.raises(ZdriverError, match="HEAD"):
        worktrees.add(empty.git_dir, f"{empty}-w", branch="feat", new_branch=True)
    assert worktrees.listed(empty.git_dir)[0].head == ""


def test_a_bare_repository(tree: Tree, folder: Path) -> None:
    tree.git("clone", "-q", "--bare", str(tree), str(folder / "x.git"))
    tree.git("config", "--global", "safe.bareRepository", "explicit")
    git_dir = f"{folder}/x.git"
    worktrees.add(git_dir, f"{folder}/feat", branch="feat", base="main", new_branch=True)
    assert [one.bare for one in worktrees.listed(git_dir)] == [True, False]
    assert branches.checked_out_at(git_dir, "main") is None, "a bare repository's HEAD holds nothing"
    worktrees.add(git_dir, f"{folder}/main", branch="main", new_branch=False)
    assert branches.checked_out_at(git_dir, "main") == f"{folder}/main"


def test_submodules(tree: Tree, make: Make) -> None:
    """git refuses to remove such a worktree without --force, even a clean one."""
    inner = make("inner")
    inner.commit("file", "x")
    tree.git("submodule", "--quiet", "add", str(inner), "sub")
    tree.git("commit", "-q", "-m", "sub")
    path = f"{tree.path.parent}/w"
    worktrees.add(tree.git_dir, path, branch="feat", base="main", new_branch=True)
    linked = Tree(Path(path))
    linked.git("submodule", "--quiet", "update", "--init")
    linked.write("sub/file", "work")
    with pytest.raises(Conflict, match="changes or untracked"):
        worktrees.remove(tree.git_dir, path, force=False)
    linked.write("sub/file", "x")
    worktrees.remove(tree.git_dir, path, force=False)
    assert not linked.path.exists()


def test_shallow_and_sparse(tree: Tree, folder: Path) -> None:
    tree.commit("in/a", "x")
    tree.commit("out/b", "x")
    tree.git("clone", "-q", "--depth=1", "--sparse", f"file://{tree}", str(folder / "clone"))
    clone = Tree(folder / "clone")
    clone.git("sparse-checkout", "set", "in")
    worktrees.add(clone.git_dir, f"{folder}/w", branch="feat", base="main", new_branch=True)
    assert status.state(f"{folder}/w", "main").clean
    assert branches.unpushed(clone.git_dir, "feat", "main") == 0


def test_a_lock_file_left_behind(tree: Tree) -> None:
    lock = tree.path / ".git" / "packed-refs.lock"
    lock.write_text("")
    tree.git("branch", "old")
    with pytest.raises(Conflict, match="no process of yours has it open") as raised:
        branches.delete(tree.git_dir, "old", expect=tree.head)
    assert str(lock) in raised.value.message
    assert "rm that file" in raised.value.hint


def test_a_lock_file_of_somebody_s(tree: Tree) -> None:
    lock = tree.path / ".git" / "packed-refs.lock"
    with lock.open("w"):
        tree.git("branch", "old")
        with pytest.raises(Conflict, match=rf"\(pid {os.getpid()}\) is at work there"):
            branches.delete(tree.git_dir, "old", expect=tree.head)


def test_a_lock_file_that_goes_is_waited_for(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes when a git has stumbled over it, however long that takes."""
    monkeypatch.setattr(calling, "LOCK_WAIT", PATIENCE)
    lock = tree.path / ".git" / "packed-refs.lock"
    lock.write_text("")
    tree.git("branch", "old")
    head, trace = tree.head, tree.path.parent / "trace"
    monkeypatch.setenv("GIT_TRACE2", str(trace))  # git's own words on how each of its processes ended

    def refused() -> bool:
        return trace.exists() and re.search(r" exit .* code:[1-9]", trace.read_text()) is not None

    def go() -> None:
        until(refused, what="a git that is refused", deadline=PATIENCE)
        lock.unlink()

    with ThreadPoolExecutor(1) as beside:
        gone = beside.submit(go)
        branches.delete(tree.git_dir, "old", expect=head)
        gone.result()
    assert branches.local(tree.git_dir, "old") is None


def test_many_at_once(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCK_WAIT", "MAKING_WAIT"):
        monkeypatch.setattr(calling, name, PATIENCE)

    def make(number: int) -> None:
        path = f"{tree.path.parent}/w{number}"
        worktrees.add(tree.git_dir, path, branch=f"feat/{number}", base="main", new_branch=True)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(16)))
    assert len(worktrees.listed(tree.git_dir)) == 17
    assert tree.git("fsck", "--no-dangling") == ""


def test_no_git_on_the_path(tree: Tree) -> None:
    with pytest.raises(Unavailable, match="git cannot be started") as raised:
        worktrees.listed(tree.git_dir, env={"PATH": "/nowhere"})
    assert "PATH" in raised.value.hint


def test_a_filter_that_hangs_is_ended(tree: Tree) -> None:
    """git and all that it started, within the time allowed; no lock file is left."""
    tree.commit(".gitattributes", "*.txt filter=slow\n")
    begun = Path(os.environ["HOME"], "pid")
    tree.git("config", "filter.slow.clean", f'echo $$ > "{begun}"; sleep 600')
    tree.write("a.txt", "x")

    def ended() -> str:
        """The filter's pid; "" where git was ended before it had begun one: the machine may be slow."""
        with pytest.raises(Unavailable, match=r"git add was ended after 1 s"):
            calling.write(in_tree(str(tree)), ("add", "a.txt"), timeout=1)
        return begun.read_text().strip() if begun.exists() else ""

    pid = int(until(ended, what="a filter that hangs", deadline=60))
    until(lambda: not processes.alive(pid), what="the filter's end", deadline=PATIENCE)
    assert not (tree.path / ".git" / "index.lock").exists()


def test_nothing_of_git_is_loaded_before_it_is_used() -> None:
    code = (
        "import sys, zdriver, zdriver.cli.main, zdriver.daemon.wiring\n"
        "from zdriver.git import worktrees, branches, status, landing, fetching\n"
        "assert 'git' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_worktree(tree: Tree) -> None:
    with pytest.raises(ZdriverError, match="is not a working tree"):
        worktrees.remove(tree.git_dir, f"{tree.path.parent}/none", force=False)
    with pytest.raises(NotFound):
        status.state(f"{tree.path.parent}/none", "main")
