"""Many processes at once, clients of one daemon: one name, different names, making against removing."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import zdriver
from tests.integration.worktrees.world import World
from zdriver.core.errors import ZdriverError
from zdriver.library import Driver
from zdriver.worktrees.model import Added

COUNT = 20
#: Seconds that each waits for its answer, when all of them have a git at work.
PATIENCE = 300.0

Said = tuple[str, object]  #: name of the error's class ("" for none), answer or message


def at_once(count: int, do: Callable[[Driver, int], object]) -> list[Said]:
    """In `count` processes of their own, let go together; what each said."""
    inward, go = os.pipe()
    started = []
    for number in range(count):
        answer, out = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(go)
            _be(inward, out, number, do)
        os.close(out)
        started.append((pid, answer))
    os.close(inward)
    os.close(go)
    said = []
    for pid, answer in started:
        with os.fdopen(answer, "rb") as file:
            data = file.read()
        os.waitpid(pid, 0)
        kind, told = msgspec.json.decode(data)
        said.append((kind, told))
    return said


def _be(go: int, out: int, number: int, do: Callable[[Driver, int], object]) -> None:
    try:
        with zdriver.connect(timeout=PATIENCE) as driver:
            driver.daemon.status()
            os.read(go, 1)  # ends when the last of its writers is closed
            try:
                said = ("", msgspec.to_builtins(do(driver, number)))
            except ZdriverError as error:
                said = (type(error).__name__, str(error))
        os.write(out, msgspec.json.encode(said))
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(0)


@pytest.fixture
def served(world: World) -> World:
    """The daemon runs."""
    with zdriver.connect() as driver:
        driver.daemon.status()
    return world


def test_the_same_name_is_made_once(served: World) -> None:
    cwd = str(served.trunk)
    said = at_once(COUNT, lambda driver, _: driver.worktrees.add("feat", "one", cwd=cwd))
    answers = [msgspec.convert(answer, Added) for kind, answer in said if not kind]
    assert len(answers) == COUNT, [each for each in said if each[0]]
    assert sum(each.created for each in answers) == 1
    assert len({each.worktree.id for each in answers}) == 1
    served.end_daemon()
    assert set(served.agree().values()) == {"main", "feat-one"}


def test_different_names_are_all_made(served: World) -> None:
    cwd = str(served.trunk)
    said = at_once(COUNT, lambda driver, number: driver.worktrees.add("feat", f"n{number}", cwd=cwd))
    assert [each for each in said if each[0]] == []
    served.end_daemon()
    assert set(served.agree().values()) == {"main", *(f"feat-n{number}" for number in range(COUNT))}


def test_making_against_removing_one_name(served: World) -> None:
    """Whoever comes when: each gets what it wants or a refusal, and in the end it is there or not."""
    cwd = str(served.trunk)

    def do(driver: Driver, number: int) -> object:
        for _ in range(3):
            try:
                if number % 2:
                    driver.worktrees.add("feat", "one", cwd=cwd)
                else:
                    driver.worktrees.remove("feat-one", cwd=cwd)
            except ZdriverError as error:
                if error.__class__.__name__ not in ("Conflict", "NotFound"):
                    raise
        return None

    said = at_once(8, do)
    assert [each for each in said if each[0]] == []
    served.end_daemon()
    there = served.agree()
    assert set(there.values()) <= {"main", "feat-one"}
    assert set(served.branches()) == set(there.values())
    assert Path(cwd).is_dir()
