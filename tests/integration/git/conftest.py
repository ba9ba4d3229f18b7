"""Fixtures: `tree`, a repository with one commit on main, in a folder with spaces in its name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.git.tree import Tree

_CONFIG = """
[user]
    name = Ada
    email = ada@example.org
[init]
    defaultBranch = main
[protocol "file"]
    allow = always
[gc]
    auto = 0
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for git."""
    home = tmp_path.resolve() / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(_CONFIG)
    for name in os.environ:
        if name.startswith(("GIT_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return tmp_path.resolve()


@pytest.fixture
def make(folder: Path) -> Callable[..., Tree]:
    """A new repository: `make("name", "--bare")`."""

    def made(name: str, *options: str) -> Tree:
        path = folder / name
        path.mkdir(parents=True)
        tree = Tree(path)
        tree.git("init", "-q", "-b", "main", *options)
        return tree

    return made


@pytest.fixture
def tree(make: Callable[..., Tree]) -> Tree:
    made = make("con tainer/re po")
    made.commit("read me", "one\n")
    return made
