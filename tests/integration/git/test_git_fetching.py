"""Remotes that are there, gone, refuse, or moved."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.git.tree import Tree
from zdriver.core.errors import Conflict, InvalidInput, NotFound, Unavailable
from zdriver.git import branches, fetching


@pytest.fixture
def remote(tree: Tree, folder: Path) -> Tree:
    tree.git("clone", "-q", "--bare", str(tree), str(folder / "re mote.git"))
    tree.git("remote", "add", "origin", str(folder / "re mote.git"))
    return Tree(folder / "re mote.git")


def test_a_pull_request(tree: Tree, remote: Tree) -> None:
    remote.git("update-ref", "refs/pull/123/head", "main")
    fetching.fetch(tree.git_dir, "origin", "+refs/pull/123/head:refs/zdriver/pull/123")
    assert tree.git("rev-parse", "refs/zdriver/pull/123") == tree.head
    assert fetching.ref_on(tree.git_dir, "origin", "refs/pull/123/head") == tree.head
    assert fetching.ref_on(tree.git_dir, "origin", "refs/pull/7/head") is None


def test_what_is_not_there(tree: Tree, remote: Tree) -> None:
    with pytest.raises(NotFound, match="refs/pull/7/head"):
        fetching.fetch(tree.git_dir, "origin", "refs/pull/7/head")
    with pytest.raises(NotFound, match="nowhere"):
        fetching.fetch(tree.git_dir, "nowhere")
    tree.git("remote", "set-url", "origin", str(remote.path.parent / "gone.git"))
    with pytest.raises(NotFound, match=r"gone\.git"):
        fetching.fetch(tree.git_dir, "origin")
    tree.git("remote", "set-url", "origin", "http://127.0.0.1:9/x.git")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        fetching.fetch(tree.git_dir, "origin")
    for hostile in ("--upload-pack=touch x", ""):
        with pytest.raises(InvalidInput):
            fetching.fetch(tree.git_dir, hostile)


def test_delete_there_only_what_was_seen(tree: Tree, remote: Tree) -> None:
    old = tree.head
    tree.git("push", "-q", "origin", "main:refs/heads/feat")
    new = tree.commit("more", "x")
    tree.git("push", "-q", "origin", "main:refs/heads/feat")
    with pytest.raises(Conflict, match="stale info"):
        fetching.delete_remote_branch(tree.git_dir, "origin", "feat", expect=old)
    assert branches.local(remote.git_dir, "feat") == new
    assert fetching.delete_remote_branch(tree.git_dir, "origin", "feat", expect=new)
    assert branches.local(remote.git_dir, "feat") is None
    assert not fetching.delete_remote_branch(tree.git_dir, "origin", "feat", expect=new)
