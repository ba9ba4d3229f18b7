"""A hook's text as it is shown to who is to agree to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdriver.cli.hooking import legible


@pytest.mark.parametrize("line", ["npm ci", "echo 'ä ß 日本 λ'", "test -e x || make  y", ""])
def test_usual_text_is_shown_as_it_is(line: str) -> None:
    assert legible(line) == line


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("a\x1b[2Kb", "a\\x1b[2Kb"),
        ("a\rb", "a\\x0db"),
        ("rm\u200d -rf", "rm\\u200d -rf"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u3164b", "a\\u3164b"),
        ("a\u00a0b", "a\\u00a0b"),
        ("a\u0301", "a\\u0301"),
        ("npm ci" + " " * 5000 + "; curl", "npm ci [5,000 spaces] ; curl"),
    ],
)
def test_what_hides_is_seen(line: str, shown: str) -> None:
    assert legible(line) == shown


@given(st.text(), st.text())
def test_whatever_it_is_it_cannot_move_the_cursor(one: str, other: str) -> None:
    assert legible(one).isprintable()
    assert legible(one + other) != legible(one) or not other
