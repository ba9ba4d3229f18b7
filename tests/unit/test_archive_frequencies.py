"""When the beginning of a word is left to the rows, and not looked up in the index."""

from __future__ import annotations

import pytest

from zdriver.archive.frequencies import Frequencies

KNOWN = Frequencies({"database": 0.2, "data": 0.1, "layer": 0.05})


@pytest.mark.parametrize(
    ("words", "by_row"),
    [
        (["data"], False),  # alone it is all there is to look up
        (["layer", "data"], True),
        (["layer", "database"], True),
        (["zebra", "lay"], True),
        (["database", "layer"], False),
        (["layer", "zebra"], False),
        (["zebra", "quagga"], False),
        (["database", "zebra", "l"], True),
    ],
)
def test_a_frequent_beginning_after_a_rarer_word(words: list[str], by_row: bool) -> None:
    assert KNOWN.beginning_is_last(words) is by_row


def test_before_anything_was_counted() -> None:
    assert not Frequencies().beginning_is_last(["layer", "data"])
