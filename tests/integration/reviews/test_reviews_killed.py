"""Killed at any step of a review: the same command again makes it whole, and nothing is half of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import zdriver
from tests.integration.git.tree import Tree
from tests.integration.reviews.conftest import Hub, refs
from tests.integration.worktrees.victim import Order
from tests.integration.worktrees.world import Victims
from zdriver.testing import Home
from zdriver.worktrees import steps

MAKING = [steps.point("fetched", "review"), *map(steps.point, steps.CREATION)]
MAKING += [steps.point(step, "review") for step in ("made", "noted")]
MOVING = [steps.point(step, "review") for step in ("fetched", "kept", "moved", "noted")]


@pytest.fixture(scope="module")
def victims() -> Iterator[Victims]:
    made = Victims()
    yield made
    made.close()


class Review:
    """`zdriver review 123`, each time in a process of its own."""

    def __init__(self, home: Home, hub: Hub, victims: Victims) -> None:
        self.hub = hub
        self._home = home
        self._victims = victims

    def __call__(self, kill: str = "") -> Any:
        """It must be killed where that is wanted, and only there."""
        ended = self._victims.order(
            Order(
                database=str(self._home.database),
                env=dict(self._home.env),
                service="reviews",
                method="review",
                given={"number": 123, "cwd": str(self.hub.app), "agent": "ada"},
                kill=kill,
            )
        )
        assert (ended.signal, ended.error) == (9 if kill else 0, ""), kill
        return ended.answer


@pytest.fixture
def review(home: Home, hub: Hub, victims: Victims) -> Review:
    return Review(home, hub, victims)


def whole(review: Review, before: list[str], head: str) -> None:
    """The command once more makes the review; removed, it leaves what was there before."""
    app, done = review.hub.app, review()
    assert done["reason"] == ""
    here = Tree(Path(done["worktree"]["path"]))
    assert (here.head, here.git("status", "--porcelain")) == (head, "")
    with zdriver.open() as driver:
        lines = driver.worktrees.list(cwd=str(app))
        assert [line.worktree.name for line in lines] == ["trunk", "review-123"]
        app.git("fsck", "--strict", "--no-dangling")
        driver.worktrees.remove("review-123", cwd=str(app), agent="ada")
    assert not here.path.exists()
    assert refs(app) == before
    assert app.git("worktree", "list").count("\n") == 0


def test_killed_while_it_is_made(review: Review) -> None:
    """With a force push between the killed command and the next."""
    hub = review.hub
    before = refs(hub.app)
    for number, point in enumerate(MAKING):
        hub.open(123, text=f"{number}\n")
        review(kill=point)
        whole(review, before, hub.open(123, text=f"{number}, rebased\n"))


def test_killed_while_it_is_brought_up_to_date(review: Review) -> None:
    hub = review.hub
    before = refs(hub.app)
    for number, point in enumerate(MOVING):
        hub.open(123, text=f"{number}\n")
        review()
        head = hub.open(123, text=f"{number}, rebased\n")
        review(kill=point)
        whole(review, before, head)
