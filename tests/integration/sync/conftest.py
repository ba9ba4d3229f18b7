"""Fixtures: `place`, a container with a real repository, worktrees and a store of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zdriver.storage.sqlite import SqliteStore
from zdriver.sync.model import Applied, SyncStatus
from zdriver.sync.service import SyncService
from zdriver.testing import Home
from zdriver.worktrees.model import Repo, Worktree
from zdriver.worktrees.registry import Registry


def git(*words: str, cwd: Path) -> str:
    done = subprocess.run(["git", *words], cwd=cwd, check=True, capture_output=True, timeout=60)
    return os.fsdecode(done.stdout)


class Place:
    """`container` with `trunk-main`, and `service` on a store."""

    def __init__(self, container: Path, store: SqliteStore) -> None:
        self.container = container
        self.trunk = container / "trunk-main"
        self.store = store
        self.registry = Registry(store)
        self.service = SyncService(store, self.registry)

    @property
    def repo(self) -> Repo:
        return self.registry.repo(str(self.trunk))

    def add(self, name: str) -> Path:
        """A worktree, made by git alone; the next application finds it."""
        git("worktree", "add", "-q", f"../{name}", cwd=self.trunk)
        return self.container / name

    def worktree(self, name: str) -> Worktree:
        return self.registry.find(name, str(self.trunk))[1]

    def put(self, path: str, text: str = "shared") -> Path:
        """A file under sync/."""
        file = self.container / "sync" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def rules(self, *lines: str) -> None:
        self.put("zdriver.toml", "[paths]\n" + "\n".join(lines) + "\n")

    def apply(self) -> Applied:
        return self.service.apply(cwd=str(self.trunk))

    def status(self) -> SyncStatus:
        return self.service.status(cwd=str(self.trunk))

    def events(self) -> int:
        """`sync.applied` so far."""
        rows = self.store.read(lambda tx: tx.all("event.after", sequence=0, limit=10_000))
        return sum(row["type"] == "sync.applied" for row in rows)


def make(container: Path) -> Path:
    """A repository with one commit; its trunk."""
    trunk = container / "trunk-main"
    trunk.mkdir(parents=True)
    git("init", "-q", "-b", "main", cwd=trunk)
    (trunk / "code.py").write_text("pass\n")
    (trunk / "config").mkdir()
    (trunk / "config" / "tracked.json").write_text("{}\n")
    git("add", ".", cwd=trunk)
    git("commit", "-qm", "first", cwd=trunk)
    return trunk


@pytest.fixture
def place(home: Home) -> Iterator[Place]:
    container = home.path / "project"
    make(container)
    with SqliteStore(home.database) as store:
        yield Place(container, store)


def clean(worktree: Path) -> bool:
    return git("status", "--porcelain", "--untracked-files=all", cwd=worktree) == ""


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Until the block ends. `options` of mount(8), and what is mounted."""
    subprocess.run(["mount", *options, str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
