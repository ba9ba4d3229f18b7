"""Fixtures: `hub`, a bare remote with pull requests as refs, and a clone of it; `site`, the services."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import zdriver
from tests.integration.git.tree import Tree
from zdriver.core.errors import ZdriverError
from zdriver.testing import Home
from zdriver.worktrees.model import Reviewed

#: Full names of refs, of GitHub and of GitLab.
PULL, MERGE = "refs/pull/{}/head", "refs/merge-requests/{}/head"


class Hub:
    """A bare repository `hub.git`, and the clone `app` of whoever reviews."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bare = Tree(folder / "hub.git")
        self.bare.path.mkdir()
        self.bare.git("init", "-q", "--bare")
        #: Where pull requests are written: a clone that the reviewer knows nothing of.
        self.author = self._clone("author")
        self.author.commit("README", "one\n")
        self.author.git("push", "-q", "origin", "HEAD:main")
        self.app = self._clone("app")

    def _clone(self, name: str) -> Tree:
        tree = Tree(self.folder / name)
        self.bare.git("clone", "-q", str(self.bare), str(tree))
        return tree

    def open(self, number: int, *, ref: str = PULL, branch: str = "", text: str = "new\n") -> str:
        """A pull request with one commit on main, as a fork makes it; with `branch`, also as that one."""
        self.author.git("checkout", "-q", "--detach", "origin/main")
        self.author.commit(f"pr-{number}", text)
        return self.push(number, ref=ref, branch=branch)

    def push(self, number: int, *, ref: str = PULL, branch: str = "") -> str:
        """What the author stands at becomes its head, whatever it was."""
        self.author.git("push", "-q", "-f", "origin", f"HEAD:{ref.format(number)}")
        if branch:
            self.author.git("push", "-q", "-f", "origin", f"HEAD:refs/heads/{branch}")
        return self.author.head

    def remote(self, name: str) -> Tree:
        """Another remote of the clone, empty but for main."""
        tree = Tree(self.folder / f"{name}.git")
        self.bare.git("clone", "-q", "--bare", str(self.bare), str(tree))
        self.app.git("remote", "add", name, str(tree))
        return tree

    def url(self, url: str, *, remote: str = "origin", bare: Tree | None = None) -> None:
        """From now on the remote's URL is this one, and git finds the bare repository under it."""
        self.app.git("remote", "set-url", remote, url)
        self.app.git("config", f"url.{bare or self.bare}.insteadOf", url)


def refs(tree: Tree) -> list[str]:
    """All of them, but those that removals keep for two weeks, as for every worktree."""
    found = tree.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return [each for each in found if not each.startswith(("refs/zdriver/removed/", "refs/zdriver/also/"))]


class Site:
    def __init__(self, hub: Hub, driver: zdriver.Driver) -> None:
        self.hub = hub
        self.driver = driver

    @property
    def cwd(self) -> str:
        return str(self.hub.app)

    def review(self, number: int | str, *, remote: str = "", agent: str = "ada") -> Reviewed:
        return self.driver.reviews.review(number, remote=remote, cwd=self.cwd, agent=agent)

    def refused(self, number: int | str, kind: type[ZdriverError], **more: str) -> ZdriverError:
        """Nothing may have come of it."""
        before = self.standing()
        with pytest.raises(kind) as caught:
            self.review(number, **more)
        assert self.standing() == before
        assert caught.value.hint
        return caught.value

    def standing(self) -> tuple[list[str], str, list[str]]:
        """Refs, git's worktrees, and the names that are registered."""
        app, lines = self.hub.app, self.driver.worktrees.list(cwd=self.cwd, conditions=False)
        return refs(app), app.git("worktree", "list"), [each.worktree.name for each in lines]


@pytest.fixture
def hub(home: Home) -> Hub:
    (home.path / ".gitconfig").write_text(
        "[user]\nname = Ada\nemail = ada@example.org\n[init]\ndefaultBranch = main\n"
    )
    return Hub(home.path)


@pytest.fixture
def site(hub: Hub) -> Iterator[Site]:
    with zdriver.open() as driver:
        yield Site(hub, driver)


#: Writes a program `gh` that answers as told, first on PATH; its arguments go to the file returned.
Gh = Callable[[str], Path]


@pytest.fixture
def gh(home: Home, monkeypatch: pytest.MonkeyPatch) -> Gh:
    """A stand-in for gh, which cannot log in here: a script that says what gh's manual says it says."""

    def make(script: str) -> Path:
        folder, asked = home.path / "gh", home.path / "gh-asked"
        folder.mkdir(exist_ok=True)
        program = folder / "gh"
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {asked}\n{script}\n')
        program.chmod(0o755)
        path = f"{folder}:{os.environ['PATH'].removeprefix(f'{folder}:')}"
        monkeypatch.setenv("PATH", path)
        home.env["PATH"] = path
        return asked

    return make
