"""Killed at any step of a review: the same command again makes it whole, and nothing is half of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import zdriver
from tests.integration.git.tree import Tree
from tests.integration.reviews.conftest import Hub, Site, refs
from zdriver.core.killpoint import VARIABLE
from zdriver.worktrees import steps

_SCRIPT = """
import sys, zdriver
with zdriver.open() as driver:
    driver.reviews.review(123, cwd=sys.argv[1], agent="ada")
"""
MAKING = [steps.point("fetched", "review"), *map(steps.point, steps.CREATION)]
MAKING += [steps.point(step, "review") for step in ("made", "noted")]
MOVING = [steps.point(step, "review") for step in ("fetched", "kept", "moved", "noted")]


def killed(hub: Hub, point: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(hub.app)],
        env={**os.environ, VARIABLE: point},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -9, done.stderr


def whole(hub: Hub, before: list[str], head: str) -> None:
    """The command once more makes the review; removed, it leaves what was there before."""
    with zdriver.open() as driver:
        site = Site(hub, driver)
        done = site.review(123)
        assert done.reason == ""
        path = Path(done.worktree.path)
        assert Tree(path).head == head
        assert Tree(path).git("status", "--porcelain") == ""
        assert [line.worktree.name for line in driver.worktrees.list(cwd=site.cwd)] == ["trunk", "review-123"]
        hub.app.git("fsck", "--strict", "--no-dangling")
        driver.worktrees.remove("review-123", cwd=site.cwd, agent="ada")
        assert not path.exists()
    assert refs(hub.app) == before
    assert hub.app.git("worktree", "list").count("\n") == 0


def test_killed_while_it_is_made(hub: Hub) -> None:
    """With a force push between the killed command and the next."""
    hub.author.git("fetch", "-q")
    before = refs(hub.app)
    for number, point in enumerate(MAKING):
        hub.open(123, text=f"{number}\n")
        killed(hub, point)
        head = hub.open(123, text=f"{number}, rebased\n")
        whole(hub, before, head)


def test_killed_while_it_is_brought_up_to_date(hub: Hub) -> None:
    before = refs(hub.app)
    for number, point in enumerate(MOVING):
        hub.open(123, text=f"{number}\n")
        with zdriver.open() as driver:
            Site(hub, driver).review(123)
        head = hub.open(123, text=f"{number}, rebased\n")
        killed(hub, point)
        whole(hub, before, head)
