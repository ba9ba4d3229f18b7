"""When something that vanished is to be believed."""

from __future__ import annotations

import pytest

from zdriver.context.capture import Process
from zdriver.context.vanishing import CONFIRM, Vanishing

SHELL, TAIL = Process("/w", ()), Process("/w", ("tail", "-f", "log"))
BOTH = {1: SHELL, 2: TAIL}


@pytest.fixture
def vanishing() -> Vanishing:
    made = Vanishing()
    made.recorded(2, BOTH)
    return made


@pytest.mark.parametrize(
    ("count", "processes"),
    [
        pytest.param(2, {1: SHELL, 2: SHELL}, id="a command, its shell still there"),
        pytest.param(2, {1: SHELL}, id="a shell, Zellij has not noticed"),
        pytest.param(1, {1: SHELL}, id="a pane"),
    ],
)
def test_what_vanished_is_believed_after_a_while(
    vanishing: Vanishing, count: int, processes: dict[int, Process]
) -> None:
    panes = list(BOTH)[:count]
    assert not vanishing.is_believed(count, panes, processes, now=10)
    assert not vanishing.is_believed(count, panes, processes, now=10 + CONFIRM - 0.01)
    assert vanishing.is_believed(count, panes, processes, now=10 + CONFIRM)


def test_what_was_recorded_without_it_misses_it_no_more(vanishing: Vanishing) -> None:
    vanishing.recorded(1, {1: SHELL})
    assert vanishing.is_believed(1, [1], {1: SHELL}, now=10)


def test_each_further_loss_begins_anew(vanishing: Vanishing) -> None:
    """As long as a session ends, more and more of it goes."""
    assert not vanishing.is_believed(2, BOTH, {1: SHELL, 2: SHELL}, now=10)
    assert not vanishing.is_believed(2, BOTH, {1: SHELL}, now=10 + CONFIRM)
    assert not vanishing.is_believed(1, [1], {1: SHELL}, now=10 + 2 * CONFIRM)


def test_what_came_back_has_not_been_missing(vanishing: Vanishing) -> None:
    assert not vanishing.is_believed(2, BOTH, {1: SHELL, 2: SHELL}, now=10)
    vanishing.all_there()
    assert not vanishing.is_believed(2, BOTH, {1: SHELL, 2: SHELL}, now=10 + CONFIRM)


@pytest.mark.parametrize(
    "now", [BOTH, {1: TAIL, 2: TAIL}, {1: SHELL, 2: Process("/", ("vi",))}, {**BOTH, 3: SHELL}]
)
def test_what_changed_or_came_is_believed_at_once(vanishing: Vanishing, now: dict[int, Process]) -> None:
    assert vanishing.is_believed(len(now), now, now, now=10)


def test_at_first_everything_is_believed() -> None:
    assert Vanishing().is_believed(1, [1], {1: SHELL}, now=0)
