"""When sync tries again what could not be done."""

from __future__ import annotations

from zdriver.sync.retries import FIRST, LONGEST, Retries


def test_it_is_tried_soon_then_seldom_and_soon_again_once_it_went_well() -> None:
    retries = Retries()
    now, pauses = 0.0, []
    for _ in range(6):
        retries.failed("/c", now)
        at = retries.next()
        assert at is not None
        assert retries.due(at - 0.01) == ()
        assert retries.due(at) == ("/c",)
        assert retries.due(at) == ()
        pauses.append(at - now)
        now = at
    assert pauses == [1, 4, 16, LONGEST, LONGEST, LONGEST]
    retries.done("/c")
    retries.failed("/c", now)
    assert retries.next() == now + FIRST


def test_failures_in_a_storm_of_changes_do_not_put_it_off() -> None:
    retries = Retries()
    for hundredth in range(100):
        retries.failed("/c", hundredth / 100)
    assert retries.due(FIRST) == ("/c",)


def test_containers_do_not_wait_for_each_other() -> None:
    retries = Retries()
    retries.failed("/a", 0)
    retries.failed("/b", 0.5)
    assert retries.next() == FIRST
    assert retries.due(FIRST) == ("/a",)
    assert retries.next() == 0.5 + FIRST
    assert Retries().next() is None
