"""Worktree tops and HEADs, on real repositories of every shape."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zdriver.git import head_commit, worktree_top


def git(folder: Path, *words: str) -> str:
    options = ["-c", "user.name=x", "-c", "user.email=x@y", "-c", "protocol.file.allow=always"]
    done = subprocess.run(
        ["git", *options, "-C", str(folder), *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "re po"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    return folder


def test_the_top_is_found_from_below(repo: Path) -> None:
    (repo / "a" / "b").mkdir(parents=True)
    (repo.parent / "link").symlink_to(repo / "a")
    for folder in (repo, repo / "a" / "b", repo / "gone" / "for good", repo.parent / "link" / "b"):
        assert worktree_top(str(folder)) == str(repo)
    assert worktree_top(str(repo.parent)) is None
    assert head_commit(str(repo.parent)) is None


@pytest.mark.parametrize("name", ["plain", "ends (deleted)", "new\nline", "\udcff"])
def test_the_top_is_named_with_all_links_resolved(repo: Path, name: str) -> None:
    folder = repo / name
    folder.mkdir()
    (folder / ".git").write_text("gitdir: /nowhere\n")
    (repo / "link").symlink_to(folder)
    (repo / "again").symlink_to(repo / "link")
    for shown in (folder, repo / "again", repo / "again" / ".." / name, f"{repo}//link/"):
        assert worktree_top(str(shown)) == os.path.realpath(shown) == str(folder)
    folder.rename(repo / "moved")
    assert worktree_top(str(folder)) == str(repo)


def test_an_empty_git_folder_is_no_repository(repo: Path) -> None:
    """As git sees it: it looks further up."""
    (repo / "a" / ".git").mkdir(parents=True)
    assert worktree_top(str(repo / "a")) == str(repo) == git(repo / "a", "rev-parse", "--show-toplevel")


def test_every_kind_of_head(repo: Path) -> None:
    def same() -> None:
        assert head_commit(str(repo)) == git(repo, "rev-parse", "HEAD")

    same()
    git(repo, "commit", "-q", "--allow-empty", "-m", "two")
    same()
    git(repo, "pack-refs", "--all")
    same()
    git(repo, "gc", "-q")
    same()
    git(repo, "checkout", "-q", "--detach", "HEAD~1")
    same()


def test_worktrees_and_submodules_are_tops_of_their_own(repo: Path, tmp_path: Path) -> None:
    worktree = tmp_path.resolve() / "feat-x"
    git(repo, "worktree", "add", "-q", "-b", "x", str(worktree))
    git(worktree, "commit", "-q", "--allow-empty", "-m", "on x")
    assert worktree_top(str(worktree)) == str(worktree)
    assert head_commit(str(worktree)) == git(worktree, "rev-parse", "HEAD") != git(repo, "rev-parse", "HEAD")
    git(repo, "submodule", "add", "-q", str(worktree), "sub")
    assert worktree_top(str(repo / "sub")) == str(repo / "sub")
    assert head_commit(str(repo / "sub")) == git(worktree, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    "head",
    ["", "ref: refs/heads/none\n", "garbage\n", "ref: \n", "ref: ../../x\n", "\xff\xfe", "ref: HEAD\n"],
)
def test_a_broken_head_is_no_commit(repo: Path, head: str) -> None:
    (repo / ".git" / "HEAD").write_bytes(head.encode("latin-1"))
    assert head_commit(str(repo)) is None


def test_a_broken_repository_is_no_commit(repo: Path) -> None:
    (repo / "a").mkdir()
    (repo / "a" / ".git").write_text("gitdir: /nowhere\n")
    assert worktree_top(str(repo / "a")) == str(repo / "a")
    assert head_commit(str(repo / "a")) is None


def test_gitpython_is_not_loaded_before_it_is_used() -> None:
    code = "import sys, zdriver.context.service; sys.exit('git' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
