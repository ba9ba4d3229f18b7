"""Anything may happen under sync/, at any speed, the daemon killed in between: what is left counts."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import zdriver
from tests.integration.daemons import Daemons
from tests.integration.sync.conftest import clean, git, make
from zdriver.sync.patterns import Rules
from zdriver.sync.rules import BESIDE
from zdriver.sync.sources import scan
from zdriver.testing import Home, until

NAMES = ("a", "b", "c d", "-e", "é")


class Storm:
    """Changes at random below sync/. Each may fail: what it needs may not be there."""

    def __init__(self, sync: Path, seed: int) -> None:
        self._sync = sync
        self._draw = random.Random(seed)

    def _path(self) -> Path:
        names = self._draw.choices(NAMES, k=self._draw.randint(1, 3))
        return self._sync.joinpath(self._draw.choice(("repo", "global")), *names)

    def change(self) -> None:
        with contextlib.suppress(OSError):
            self._draw.choice(self._changes)(self)

    def write(self) -> None:
        path = self._path()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(self._draw.random()))

    def delete(self) -> None:
        path = self._path()
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def move(self) -> None:
        self._path().rename(self._path())

    def link(self) -> None:
        self._path().symlink_to(self._draw.choice(("/etc/hostname", "nowhere", "a", "..")))

    def make_folder(self) -> None:
        self._path().mkdir(parents=True)

    def drop_layer(self) -> None:
        layer = self._sync / self._draw.choice(("repo", "global"))
        aside = self._sync / "aside"
        if self._draw.random() < 0.5:
            shutil.rmtree(layer)
        else:
            layer.rename(aside)
            aside.rename(layer)

    _changes: tuple[Callable[[Storm], None], ...] = (
        write, write, write, write, write, delete, delete, move, move, link, make_folder, drop_layer
    )  # fmt: skip


def ours(top: Path, container: Path) -> dict[str, str]:
    """Path → source of every link in a worktree, and of what lies beside one for a moment."""
    found = {}
    for folder, folders, names in os.walk(top):
        for name in (*names, *folders):
            file = Path(folder, name)
            if name.startswith(BESIDE):
                found[name] = ""
                continue
            with contextlib.suppress(OSError):  # no link, or not any more
                source = os.path.normpath(file.parent / file.readlink())
                found[str(file.relative_to(top))] = str(Path(source).relative_to(container))
    return found


def has(container: Path, tops: tuple[Path, ...], wanted: dict[str, str], daemons: Daemons) -> None:
    """Wait until every worktree has just these links."""

    def found() -> list[dict[str, str]]:
        return [ours(top, container) for top in tops]

    until(
        lambda: found() == [wanted] * len(tops),
        what="what sync/ has",
        shows=lambda: f"{wanted}\n{found()}\n{daemons.log()[-3000:]}",
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_after_a_storm_every_worktree_has_what_sync_has(home: Home, daemons: Daemons, seed: int) -> None:
    container = home.path / "project"
    trunk = make(container)
    git("worktree", "add", "-q", "../feat-x", cwd=trunk)
    tops = (trunk, container / "feat-x")
    storm = Storm(container / "sync", seed)
    (container / "sync").mkdir()
    with zdriver.connect() as driver:
        driver.sync.status(cwd=str(trunk))
    for number in range(10):
        for _ in range(60):
            storm.change()
        if number % 3 == 2:
            daemons.kill(pid := daemons.pid())
            daemons.gone(pid)
            for _ in range(20):
                storm.change()
            (container / "sync/repo").mkdir(exist_ok=True)  # an empty sync/ is not a deleted one
        with zdriver.connect() as driver:  # starts the daemon where it was killed
            driver.sync.status(cwd=str(trunk))
        wanted = {path: each.source for path, each in scan(str(container), Rules()).files.items()}
        has(container, tops, wanted, daemons)
        until(lambda: all(map(clean, tops)), what="nothing in git status")
