"""Which generations stay."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zdriver.context.retention import DAY, HOUR, MINUTE, SECOND, Generation, to_drop

NOW = 20_000 * DAY + 7 * HOUR + 11 * MINUTE


def kept(ages: list[int], now: int = NOW, limit: int = 10**9) -> list[int]:
    """The ages (µs) that stay, newest first."""
    made = [Generation(generation=at, taken_at=now - age) for at, age in enumerate(ages)]
    dropped = to_drop(made, now, limit=limit)
    return sorted(now - each.taken_at for each in made if each.generation not in dropped)


def test_all_of_the_last_hour_stay() -> None:
    ages = [n * SECOND for n in range(0, 3600, 7)]
    assert kept(ages) == ages


def test_older_ones_are_thinned_to_one_per_span() -> None:
    assert len(kept([n * MINUTE for n in range(61, 24 * 60)])) == 276 + 1  # one per 5 minutes
    assert len(kept([n * 10 * MINUTE for n in range(145, 7 * 144)])) == 6 * 24 + 1  # per hour
    assert len(kept([n * HOUR for n in range(7 * 24 + 1, 90 * 24)])) in (83, 84)  # per day
    assert kept([10 * DAY, 91 * DAY, 400 * DAY]) == [10 * DAY]


def test_the_newest_of_a_span_stays() -> None:
    start = NOW - 3 * HOUR
    start -= start % (5 * MINUTE)
    made = [Generation(generation=n, taken_at=start + n * MINUTE) for n in range(5)]
    assert to_drop([*made, Generation(generation=9, taken_at=NOW)], NOW) == {0, 1, 2, 3}
    damaged = [Generation(generation=n, taken_at=start + n * MINUTE, good=n < 3) for n in range(5)]
    assert to_drop([*damaged, Generation(generation=9, taken_at=NOW)], NOW) == {0, 1, 3, 4}


def test_the_newest_good_one_and_pinned_ones_stay_for_ever() -> None:
    old = [
        Generation(generation=1, taken_at=NOW - 900 * DAY, pinned=True),
        Generation(generation=2, taken_at=NOW - 500 * DAY),
        Generation(generation=3, taken_at=NOW - 400 * DAY, size=10**9),
        Generation(generation=4, taken_at=NOW - 300 * DAY, good=False),
    ]
    assert to_drop(old, NOW) == {2, 4}
    assert to_drop([], NOW) == frozenset()


def test_what_is_too_large_goes_oldest_first() -> None:
    made = [Generation(generation=n, taken_at=NOW - n * MINUTE, size=10, pinned=n == 4) for n in range(5)]
    assert to_drop(made, NOW, limit=30) == {2, 3}
    assert to_drop(made, NOW, limit=0) == {1, 2, 3}


def test_two_of_the_same_moment_and_the_future_stay() -> None:
    made = [Generation(generation=n, taken_at=NOW + MINUTE) for n in range(2)]
    assert to_drop(made, NOW) == frozenset()


generations = st.lists(
    st.tuples(st.integers(0, 120 * DAY), st.integers(0, 100), st.booleans(), st.booleans()), max_size=60
).map(
    lambda rows: [
        Generation(generation=at, taken_at=NOW - age, size=size, pinned=pinned, good=good)
        for at, (age, size, pinned, good) in enumerate(rows)
    ]
)


@given(generations, st.integers(0, 6_000))
def test_a_second_run_drops_nothing_and_the_good_are_safe(made: list[Generation], limit: int) -> None:
    dropped = to_drop(made, NOW, limit=limit)
    left = [each for each in made if each.generation not in dropped]
    assert to_drop(left, NOW, limit=limit) == frozenset()
    assert all(each.generation not in dropped for each in made if each.pinned)
    good = [each for each in made if each.good]
    if good:
        newest = max(good, key=lambda each: (each.taken_at, each.generation))
        assert newest.generation not in dropped


@given(generations, st.lists(st.integers(0, 90 * DAY), max_size=5))
def test_running_often_or_seldom_ends_the_same(made: list[Generation], pauses: list[int]) -> None:
    """Apart from one that is only kept for being the newest good one."""
    end = NOW + sum(pauses)
    newest = Generation(generation=1_000, taken_at=NOW, pinned=True)
    once = {each.generation for each in made} - to_drop([*made, newest], end)
    left, now = [*made, newest], NOW
    for pause in (0, *pauses):
        now += pause
        dropped = to_drop(left, now)
        left = [each for each in left if each.generation not in dropped]
    assert {each.generation for each in left} - {1_000} == once
