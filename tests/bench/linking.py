"""How long a file that appears in sync/ takes until it is in every worktree."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench.measure import percentile
from tests.bench.report import Figure, misses
from tests.bench.worktrees import repository
from tests.bench.world import World
from zdriver.core import inotify
from zdriver.testing import until

WORKTREES = 100
ROUNDS = 60
_DEADLINE = 10.0


def link(world: World) -> Iterator[Figure]:
    """The limit makes the same links in this process, and hears of them in the same way."""
    trunk = repository(world.home.path / "linked" / "trunk-main", 10)
    shared = trunk.parent / "sync" / "repo"
    shared.mkdir(parents=True)
    with world.daemon() as driver:
        folders = [trunk]
        for number in range(WORKTREES - 1):
            folders.append(Path(driver.worktrees.add("feat", f"n{number}", cwd=str(trunk)).worktree.path))
        (shared / "first").touch()
        driver.sync.apply(cwd=str(trunk))
        until(lambda: driver.sync.status(cwd=str(trunk)).unwatched == "", what="the daemon to follow sync/")
        heard = _Heard(folders)

        def appear(name: str) -> None:
            (shared / name).write_text("x")

        def bare(name: str) -> None:
            for folder in folders:
                os.symlink(f"../sync/repo/{name}", folder / name)  # noqa: PTH211 as fast as it gets

        ours: list[float] = []
        limit: list[float] = []
        for number in range(ROUNDS):
            ours.append(heard.seconds(appear, f"ours-{number}"))
            limit.append(heard.seconds(bare, f"bare-{number}"))
    tail = percentile(ours, 99) * 1000
    yield Figure(
        what=f"a file in sync/ is in {WORKTREES} worktrees",
        unit="ms",
        ours=percentile(ours, 50) * 1000,
        tail=tail,
        limit=percentile(limit, 50) * 1000,
        against=f"{WORKTREES} symlink(2), heard of by inotify",
        target="p99 <= 20",
        misses=misses(p99=tail <= 20),
    )


class _Heard:
    """When a name has appeared in all folders."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = len(folders)
        self._inotify = inotify.Inotify()
        for folder in folders:
            self._inotify.add(str(folder), inotify.CREATE | inotify.MOVED_TO)

    def seconds(self, make: Callable[[str], None], name: str) -> float:
        """From the call of `make` until the last folder has `name`. Raises TimeoutError."""
        seen: set[int] = set()
        began = time.perf_counter()
        make(name)
        while len(seen) < self._folders:
            if not select.select([self._inotify], [], [], _DEADLINE)[0]:
                raise TimeoutError(f"{name} is in {len(seen)} of {self._folders} worktrees")
            seen |= {event.watch for event in self._inotify.read() if event.name == name}
        return time.perf_counter() - began
