"""The little terminal that the demo reads Zellij with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdriver.testing import Screen


def shown(*written: str, rows: int = 3, columns: int = 10) -> list[str]:
    screen = Screen(rows, columns)
    for text in written:
        screen.feed(text.encode())
    return screen.lines()


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        ("one\r\ntwo", ["one", "two", ""]),
        ("\x1b[2;3Hhere", ["", "  here", ""]),
        ("\x1b[31mred\x1b[m \x1b]8;;http://x\x1b\\link\x1b]0;title\x07", ["red link", "", ""]),
        ("abc\x1b[1;2H\x1b[K", ["a", "", ""]),
        ("abc\r\ndef\x1b[1J", ["", "", ""]),
        ("abc\x1b[2J", ["", "", ""]),
        ("junk\x1b[?1049hnew", ["new", "", ""]),
        ("\x1bP26661nCgcKAnQxEgEB\x1b\\\x1b_Ga=q;AAAA\x1b\\ok", ["ok", "", ""]),
        ("日本x", ["日本x", "", ""]),
        ("1\r\n2\r\n3\r\n4", ["2", "3", "4"]),
        ("0123456789+", ["0123456789", "+", ""]),
    ],
)
def test_what_zellij_writes(written: str, lines: list[str]) -> None:
    assert shown(written) == lines


def test_a_sequence_may_come_in_pieces() -> None:
    assert shown("\x1b", "[2;", "2Hx\x1b]8;;ht", "tp://y\x1b", "\\z") == ["", " xz", ""]


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_nothing_written_breaks_it(pieces: list[bytes]) -> None:
    screen = Screen(4, 9)
    for piece in pieces:
        screen.feed(piece)
    assert len(screen.lines()) == 4
