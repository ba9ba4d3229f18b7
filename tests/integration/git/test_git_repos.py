"""Which repository a folder belongs to, and its default branch, in repositories of every shape."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.git.tree import Tree
from zdriver.core.errors import NotFound, Unavailable
from zdriver.git import repos, worktrees

Make = Callable[..., Tree]


def test_found_from_anywhere_in_it(tree: Tree) -> None:
    linked = tree.worktree("fe\nat", "feat")
    (linked.path / "a" / "b").mkdir(parents=True)
    below = repos.find(str(linked.path / "a" / "b" / "gone"))
    assert below.git_dir == f"{tree}/.git"
    assert below.trunk == str(tree)
    assert below.worktree == str(linked)
    assert not below.bare
    assert below.default_branch == "main"
    assert repos.find(str(tree)).worktree == str(tree)
    inside = repos.find(f"{tree}/.git/refs")
    assert (inside.worktree, inside.trunk) == ("", str(tree))


def test_through_a_symbolic_link(tree: Tree, folder: Path) -> None:
    (folder / "link").symlink_to(tree.path)
    assert repos.find(str(folder / "link")).trunk == str(tree)


def test_outside_of_any(folder: Path) -> None:
    with pytest.raises(NotFound, match="is in no git repository") as raised:
        repos.find(str(folder))
    assert "git init" in raised.value.hint


def test_a_worktree_whose_repository_is_gone(tree: Tree) -> None:
    linked = tree.worktree("feat", "feat")
    tree.path.rename(tree.path.with_name("moved"))
    with pytest.raises(NotFound, match="is gone") as raised:
        repos.find(str(linked))
    assert "git worktree repair" in raised.value.hint


def test_a_broken_git_file(tree: Tree, folder: Path) -> None:
    (folder / "broken").mkdir()
    (folder / "broken" / ".git").write_text("nonsense\n")
    with pytest.raises(NotFound, match=r"not of git's form"):
        repos.find(str(folder / "broken"))


def test_a_repository_without_commits(make: Make) -> None:
    found = repos.find(str(make("empty")))
    assert found.default_branch == "main"
    assert found.remote == ""


def test_a_bare_clone_with_worktrees(tree: Tree, folder: Path) -> None:
    tree.git("branch", "-m", "trünk")
    tree.git("clone", "-q", "--bare", str(tree), str(folder / "project" / ".bare"))
    (folder / "project" / ".git").write_text("gitdir: ./.bare\n")
    bare = Tree(folder / "project")
    bare.git("worktree", "add", "-q", "feat")
    for place in (folder / "project", folder / "project" / "feat", folder / "project" / ".bare"):
        found = repos.find(str(place))
        assert found.bare
        assert found.trunk == ""
        assert found.git_dir == str(folder / "project" / ".bare")
        assert found.default_branch == "trünk"
    assert repos.find(str(folder / "project" / "feat")).worktree == str(folder / "project" / "feat")


def test_a_submodule_is_a_repository_of_its_own(tree: Tree, make: Make) -> None:
    inner = make("inner")
    inner.commit("file", "x")
    tree.git("submodule", "--quiet", "add", str(inner), "sub")
    found = repos.find(f"{tree}/sub")
    assert found.trunk == f"{tree}/sub"
    assert found.git_dir == f"{tree}/.git/modules/sub"
    made = Tree(Path(found.trunk)).worktree("subfeat", "feat", "HEAD")
    assert repos.find(str(made)).trunk == f"{tree}/sub"


def test_a_git_folder_elsewhere(folder: Path) -> None:
    (folder / "work").mkdir()
    Tree(folder).git("init", "-q", "-b", "main", f"--separate-git-dir={folder}/store", str(folder / "work"))
    found = repos.find(str(folder / "work"))
    assert (found.git_dir, found.trunk) == (f"{folder}/store", f"{folder}/work")


def test_worktree_config(tree: Tree) -> None:
    tree.git("config", "extensions.worktreeConfig", "true")
    linked = tree.worktree("feat", "feat")
    linked.git("config", "--worktree", "core.sparseCheckout", "true")
    assert repos.find(str(linked)).trunk == str(tree)


def test_remote_without_secrets(tree: Tree) -> None:
    tree.git("remote", "add", "fork", "https://me:token@example.org/fork.git")
    assert repos.find(str(tree)).remote == "https://example.org/fork.git"
    tree.git("remote", "add", "origin", "git@example.org:team/repo.git")
    found = repos.find(str(tree))
    assert (found.remote_name, found.remote) == ("origin", "git@example.org:team/repo.git")


def test_default_branch_in_order(tree: Tree, make: Make, folder: Path) -> None:
    tree.git("branch", "-m", "work")
    assert repos.default_branch(tree.git_dir) == "work", "the only one"
    tree.git("branch", "other")
    assert repos.default_branch(tree.git_dir) == "work", "that of the main worktree"
    tree.git("branch", "master")
    assert repos.default_branch(tree.git_dir) == "master"
    tree.git("branch", "main")
    assert repos.default_branch(tree.git_dir) == "main"
    tree.git("config", "init.defaultBranch", "other")
    assert repos.default_branch(tree.git_dir) == "other"
    tree.git("clone", "-q", str(tree), str(folder / "clone"))
    assert repos.default_branch(f"{folder}/clone/.git") == "work", "what the remote's HEAD was"
    Tree(folder / "clone").git("pack-refs", "--all")
    assert repos.default_branch(f"{folder}/clone/.git") == "work"


def test_detached_head_without_a_known_branch(tree: Tree) -> None:
    tree.git("branch", "-m", "work")
    tree.git("branch", "other")
    tree.git("checkout", "-q", "--detach")
    assert repos.default_branch(tree.git_dir) == ""


def test_shallow_clone(tree: Tree, folder: Path) -> None:
    tree.commit("more", "x")
    tree.git("clone", "-q", "--depth=1", f"file://{tree}", str(folder / "shallow"))
    assert repos.find(str(folder / "shallow")).default_branch == "main"


def test_a_repository_of_another_user(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    git_dir = tree.git_dir
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own switch for its tests
    for ask in (lambda: repos.find(str(tree)), lambda: worktrees.listed(git_dir)):
        with pytest.raises(Unavailable, match="belongs to another user") as raised:
            ask()
        assert f"safe.directory '{tree}" in raised.value.hint


def test_variables_of_a_git_hook_do_not_lead_astray(
    tree: Tree, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make("other")
    other.git("remote", "add", "origin", "https://example.org/other.git")
    monkeypatch.setenv("GIT_DIR", other.git_dir)
    monkeypatch.setenv("GIT_INDEX_FILE", f"{other.git_dir}/index")
    assert repos.find(str(tree)).remote == ""
    assert repos.find(str(tree), env=dict(os.environ)).remote == ""


def test_bare_repositories_that_git_is_told_not_to_trust(tree: Tree, folder: Path) -> None:
    tree.git("clone", "-q", "--bare", str(tree), str(folder / "x.git"))
    tree.git("config", "--global", "safe.bareRepository", "explicit")
    assert repos.find(str(folder / "x.git")).bare
