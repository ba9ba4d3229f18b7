"""What `make faults` calls lost, doubled, sent again and out of order."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from tests.faults.counting import (
    Count,
    Hold,
    Mark,
    Result,
    Seen,
    count,
    disordered,
    held_twice,
    marks,
    repeated,
)

ONE: Mark = ("intent.set", "one")
TWO: Mark = ("intent.set", "two")


def test_what_is_there_once_is_found() -> None:
    assert count([ONE, TWO], Counter([ONE, TWO])) == Count(2, 0, 0)


def test_what_is_not_there_is_lost() -> None:
    assert count([ONE, TWO], Counter([ONE])) == Count(1, 0, 1)
    assert count([ONE, TWO], Counter()) == Count(0, 0, 2)


def test_what_is_there_twice_is_doubled_whether_it_was_acknowledged_or_not() -> None:
    assert count([ONE], Counter([ONE, ONE])) == Count(1, 1, 0)
    assert count([], Counter([TWO, TWO])) == Count(0, 1, 0)


def test_what_was_done_but_never_acknowledged_is_neither() -> None:
    assert count([ONE], Counter([ONE, TWO])) == Count(1, 0, 0)


def test_a_message_that_came_again_is_no_second_event() -> None:
    again = [Seen("a", ONE), Seen("b", TWO), Seen("a", ONE)]
    assert marks(again) == {ONE: 1, TWO: 1}
    assert repeated(again) == 1


def test_two_events_of_one_operation_are_two() -> None:
    assert marks([Seen("a", ONE), Seen("b", ONE)]) == {ONE: 2}


def test_order_is_that_of_each_aggregate_and_of_first_sights() -> None:
    order = {"a": ("x", 1), "b": ("x", 2), "c": ("y", 1)}
    assert disordered(["a", "c", "b"], order) == 0
    assert disordered(["b", "c", "a"], order) == 1
    assert disordered(["a", "b", "a"], order) == 0  # sent again
    assert disordered(["unknown", "a"], order) == 0


def test_work_is_held_twice_when_one_claim_begins_before_the_one_before_it_ended() -> None:
    assert held_twice([Hold("a", 1, 10, 20), Hold("a", 2, 20, None), Hold("b", 1, 0, None)]) == 0
    assert held_twice([Hold("a", 1, 10, 20), Hold("a", 2, 19, None)]) == 1
    assert held_twice([Hold("a", 1, 10, None), Hold("a", 2, 20, None)]) == 1
    assert held_twice([Hold("a", 1, 10, 20), Hold("a", 1, 30, 40)]) == 1


ALL = Count(9, 0, 0)
GOOD = Result(
    name="redis", title="Redis killed", engine="sqlite", asked=10, acknowledged=9, refused=1, unanswered=0,
    repeated_calls=3, store=ALL, log=ALL, broker=ALL, sent_again=4, broker_disordered=0, audit=ALL,
    audit_disordered=0, archive=ALL, contexts=2, held_twice=0, stale=0, seconds=1.0,
)  # fmt: skip


def test_a_trial_in_which_all_is_found_is_good_whatever_was_sent_or_asked_again() -> None:
    assert GOOD.wrong == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"audit": Count(8, 0, 1)},
        {"archive": Count(9, 1, 0)},
        {"broker_disordered": 1},
        {"audit_disordered": 1},
        {"held_twice": 1},
        {"stale": 1},
        {"acknowledged": 8, "unanswered": 1},
        {"acknowledged": 8},  # a client's thread ended before it asked for all
        {"broken": ("the fault itself went wrong",)},
    ],
    ids=str,
)
def test_a_trial_that_shows_a_fault_or_shows_nothing_is_not_good(bad: dict[str, Any]) -> None:
    assert msgspec.structs.replace(GOOD, **bad).wrong == 1
