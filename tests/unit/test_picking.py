"""Choosing from a list, without a terminal: keys in, what is marked and shown out."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdriver.cli.output import width
from zdriver.cli.picking import Picking, cut, unfinished

NAMES = tuple(f"name-{number}" for number in range(30))
UP, DOWN, PAGE_DOWN, HOME, END = "\x1b[A", "\x1b[B", "\x1b[6~", "\x1b[H", "\x1b[F"


def fitting(text: str) -> tuple[str, ...]:
    return tuple(name for name in NAMES if text in name)


def picking(*keys: str, rows: int = 10) -> Picking[str]:
    made = Picking(fitting, rows)
    for key in keys:
        assert made.press(key) == ""
    return made


@pytest.mark.parametrize(
    ("keys", "marked"),
    [
        ((), "name-0"),
        ((DOWN, DOWN, UP), "name-1"),
        ((UP,), "name-29"),
        ((UP, DOWN), "name-0"),
        (("\x0e", "\x10"), "name-0"),
        ((PAGE_DOWN,), "name-10"),
        ((PAGE_DOWN,) * 9, "name-29"),
        ((END,), "name-29"),
        ((END, HOME), "name-0"),
        (("2", DOWN), "name-12"),
        (("2", "9", "\x7f", DOWN), "name-12"),
        (("x", "\x15"), "name-0"),
        (("n", " ", "y", "\x17", "\x7f"), "name-0"),
        (("\x1b[200~", "\x00", "\x1bq"), "name-0"),  # keys that mean nothing
    ],
)
def test_what_is_marked(keys: tuple[str, ...], marked: str) -> None:
    assert picking(*keys).chosen == marked


def test_how_it_ends() -> None:
    assert picking().press("\r") == "chosen"
    assert picking("n", "o", "t").press("\r") == ""  # there is nothing to choose
    for key in ("\x03", "\x04", "\x1b"):
        assert picking("1").press(key) == "left"


@given(
    st.lists(st.sampled_from([UP, DOWN, PAGE_DOWN, END, "1", "2", "\x7f"]), max_size=30), st.integers(1, 40)
)
def test_the_marked_one_is_shown_once(keys: list[str], rows: int) -> None:
    made = picking(*keys, rows=rows)
    shown = made.shown()
    assert len(shown) == min(rows, len(made.found))
    assert [each for each, marked in shown if marked] == ([made.chosen] if made.found else [])


@pytest.mark.parametrize(
    ("text", "more"), [("\x1b", True), ("\x1b[", True), ("\x1b[1;5", True), ("\x1bO", True)]
    + [(whole, False) for whole in ("a", "é", "\x1b[A", "\x1b[1;5A", "\x1b[6~", "\x1bOA", "\x1bq", "\x03")],
)  # fmt: skip
def test_where_a_key_ends(text: str, more: bool) -> None:
    assert unfinished(text) is more


@given(st.text(max_size=40), st.integers(2, 30))
def test_cut_fits_and_is_harmless(text: str, columns: int) -> None:
    short = cut(text, columns)
    assert width(short) <= columns
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", short)
    assert short.endswith("…") or len(short) >= len(text)
