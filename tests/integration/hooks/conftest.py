"""Fixtures: `site`, a repository in a home of its own, and the services on it in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import zdriver
from tests.integration.git.tree import Tree
from zdriver.testing import Home


class Site:
    """A repository `app`, its worktrees, and the services."""

    def __init__(self, tree: Tree, driver: zdriver.Driver) -> None:
        self.tree = tree
        self.driver = driver

    @property
    def cwd(self) -> str:
        return str(self.tree.path)

    def add(self, name: str) -> Tree:
        """A worktree `feat-NAME`; it must be there without a warning."""
        added = self.driver.worktrees.add("feat", name, cwd=self.cwd, agent="ada")
        assert added.warnings == added.provided.warnings == ()
        return Tree(Path(added.worktree.path))


@pytest.fixture
def site(home: Home) -> Iterator[Site]:
    (home.path / ".gitconfig").write_text(
        "[user]\nname = Ada\nemail = ada@example.org\n[init]\ndefaultBranch = main\n"
    )
    app = home.path / "app"
    app.mkdir()
    tree = Tree(app)
    tree.git("init", "-q")
    tree.commit("README", "one\n")
    with zdriver.open() as driver:
        yield Site(tree, driver)
