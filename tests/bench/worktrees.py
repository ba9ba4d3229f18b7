"""The figures of worktrees: making one, and listing them, beside the git that has to run for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path

import zdriver
from tests.bench.measure import Turns
from tests.bench.report import Figure, misses
from tests.bench.world import World

#: Files of a small and of a large repository.
SIZES = (100, 5000)
TOGETHER = 10
LISTED = (1, 10, 100)
#: worktrunk, where it is installed: `cargo install --locked worktrunk@0.67.0`.
WT = "wt"


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def repository(trunk: Path, files: int) -> Path:
    """A repository of so many files in folders of a hundred; its folder."""
    trunk.mkdir(parents=True)
    git(trunk, "init", "-q", "-b", "main")
    for number in range(files):
        file = trunk / f"part-{number // 100}" / f"file-{number}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"line of file {number}\n" * 20)
    git(trunk, "add", "-A")
    git(trunk, "-c", "user.name=bench", "-c", "user.email=bench@example.org", "commit", "-q", "-m", "all")
    return trunk


def _add(driver: zdriver.Driver, trunk: Path, numbers: Iterator[int]) -> None:
    driver.worktrees.add("feat", f"n{next(numbers)}", cwd=str(trunk))


def _bare_next(trunk: Path, numbers: Iterator[int]) -> None:
    _bare_add(trunk, f"n{next(numbers)}")


def _bare_add(trunk: Path, name: str) -> None:
    git(trunk, "worktree", "add", "-q", "-b", name, str(trunk.parent / name))


def create(world: World) -> Iterator[Figure]:
    """Each side has a repository of its own: both grow alike."""
    numbers = count()
    for files in SIZES:
        ours = repository(world.home.path / f"ours-{files}" / "trunk-main", files)
        bare = repository(world.home.path / f"bare-{files}" / "trunk-main", files)
        with world.daemon() as driver:
            turns = Turns(partial(_add, driver, ours, numbers), partial(_bare_next, bare, numbers)).run(
                20 if files < 1000 else 6, warm=2
            )
        (taken, limit), (tail, _) = turns.ms(), turns.ms(99)
        yield Figure(
            what=f"create a worktree of {files:,} files",
            unit="ms",
            ours=taken,
            tail=tail,
            limit=limit,
            against="git worktree add -b, as a process",
            target="<= 1.1x",
            misses=misses(ratio=taken <= 1.1 * limit),
        )
        yield from _as_commands(world, files)
    yield _in_parallel(world)


def _in_parallel(world: World) -> Figure:
    """Ten at once in one repository."""
    numbers = count()
    ours = repository(world.home.path / "ours-together" / "trunk-main", SIZES[0])
    bare = repository(world.home.path / "bare-together" / "trunk-main", SIZES[0])
    drivers = [world.daemon() for _ in range(TOGETHER)]

    turns = Turns(
        lambda: _together([partial(_add, driver, ours, numbers) for driver in drivers]),
        lambda: _together([partial(_bare_add_again, bare, f"n{next(numbers)}") for _ in range(TOGETHER)]),
    ).run(5)
    for driver in drivers:
        driver.close()
    taken, limit = turns.ms()
    return Figure(
        what=f"create {TOGETHER} worktrees at once",
        unit="ms",
        ours=taken,
        limit=limit,
        against=f"{TOGETHER} git worktree add at once, again where one stumbled over another",
        target="<= 1.1x",
        misses=misses(ratio=taken <= 1.1 * limit),
    )


def _bare_add_again(trunk: Path, name: str) -> None:
    """Git's own locks are not waited for by git."""
    for _ in range(20):
        try:
            return _bare_add(trunk, name)
        except subprocess.CalledProcessError:
            git(trunk, "worktree", "prune")
            shutil.rmtree(trunk.parent / name, ignore_errors=True)
            subprocess.run(["git", "branch", "-q", "-D", name], cwd=trunk, capture_output=True, check=False)
    raise RuntimeError(f"git could not make {name}")


def _together(actions: list[Callable[[], object]]) -> None:
    failed: list[BaseException] = []

    def run(action: Callable[[], object]) -> None:
        try:
            action()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def _as_commands(world: World, files: int) -> Iterator[Figure]:
    """Beside worktrunk, where there is one; else nothing."""
    if shutil.which(WT) is None:
        return
    numbers = count()
    ours = repository(world.home.path / f"command-{files}" / "trunk-main", files)
    theirs = repository(world.home.path / f"wt-{files}" / "trunk-main", files)
    turns = Turns(
        lambda: _command(ours, "zdriver", "feat", f"n{next(numbers)}"),
        lambda: _command(theirs, WT, "switch", "--create", f"n{next(numbers)}", "--no-cd", "-y"),
    ).run(12 if files < 1000 else 5, warm=2)
    (taken, limit), (tail, _) = turns.ms(), turns.ms(99)
    yield Figure(
        what=f"zdriver feat, {files:,} files",
        unit="ms",
        ours=taken,
        tail=tail,
        limit=limit,
        against="wt switch --create (worktrunk)",
        target="< 1x",
        misses=misses(ratio=taken < limit),
    )


def _command(folder: Path, *words: str) -> None:
    subprocess.run(words, cwd=folder, check=True, capture_output=True, stdin=subprocess.DEVNULL)


# ---- list ----------------------------------------------------------------------------------


def listing(world: World) -> Iterator[Figure]:
    """The trunk counts: 1 is a repository without worktrees."""
    trunk = repository(world.home.path / "listed" / "trunk-main", SIZES[0])
    with world.daemon() as driver:
        made = 1
        for wanted in LISTED:
            while made < wanted:
                driver.worktrees.add("feat", f"n{made}", cwd=str(trunk))
                made += 1
            turns = Turns(lambda: driver.worktrees.list(cwd=str(trunk)), partial(_bare_list, trunk))
            turns.run(30 if wanted < 100 else 8, warm=2)
            (taken, limit), (tail, _) = turns.ms(), turns.ms(99)
            yield Figure(
                what=f"worktree list of {wanted}",
                unit="ms",
                ours=taken,
                tail=tail,
                limit=limit,
                against="git worktree list, then git status in each, as many at once as there are cores",
                target="<= 1.1x",
                misses=misses(ratio=taken <= 1.1 * limit),
            )
            yield from _list_commands(trunk, wanted)


def _bare_list(trunk: Path) -> None:
    words = ["git", "worktree", "list", "--porcelain", "-z"]
    listed = subprocess.run(words, cwd=trunk, check=True, capture_output=True).stdout
    paths = [word[9:] for word in os.fsdecode(listed).split("\0") if word.startswith("worktree ")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(_bare_status, paths))


def _bare_status(path: str) -> None:
    words = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "-z"]
    subprocess.run(words, cwd=path, check=True, capture_output=True)


def _list_commands(trunk: Path, wanted: int) -> Iterator[Figure]:
    if shutil.which(WT) is None or wanted > 10:
        return
    turns = Turns(lambda: _command(trunk, "zdriver", "worktree", "list"), lambda: _command(trunk, WT, "list"))
    turns.run(10, warm=2)
    taken, limit = turns.ms()
    yield Figure(
        what=f"zdriver worktree list, {wanted}",
        unit="ms",
        ours=taken,
        limit=limit,
        against="wt list (worktrunk)",
        target="< 1x",
        misses=misses(ratio=taken < limit),
    )
