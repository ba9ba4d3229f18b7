"""JSON lines: however the bytes come, the same messages go out, and the limit holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdriver.rpc.framing import Framing, MessageTooLong

_line = st.binary(max_size=40).map(lambda data: data.replace(b"\n", b"."))


@given(st.lists(_line, max_size=12), st.lists(st.integers(1, 30), max_size=60))
def test_the_cuts_between_reads_do_not_matter(lines: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    framing, got, at = Framing(), [], 0
    for cut in [*cuts, len(stream)]:
        got += framing.feed(stream[at : at + cut])
        at += cut
    assert got == [line for line in lines if line.strip()]
    assert framing.pending == 0


def test_half_a_line_waits_for_its_end() -> None:
    framing = Framing()
    assert framing.feed(b'{"a"') == []
    assert framing.pending == 4
    assert framing.feed(b":1}\n{") == [b'{"a":1}']
    assert framing.pending == 1


@pytest.mark.parametrize("size", [10, 9])
def test_a_message_of_the_limit_passes(size: int) -> None:
    framing = Framing(limit=10)
    assert framing.feed(b"x" * 4) == []
    assert framing.feed(b"x" * (size - 4) + b"\n") == [b"x" * size]


@pytest.mark.parametrize(
    "pieces",
    [
        [b"x" * 11],
        [b"x" * 11 + b"\n"],
        [b"x" * 6, b"x" * 5],
        [b"x" * 6, b"x" * 5 + b"\nyy"],
        [b"x" * 6, b"x" * 5 + b"\n" + b"y" * 11],
        [b"a\nb\n" + b"x" * 11],
        [b"a\n" + b"x" * 11 + b"\nb\n"],
    ],
)
def test_a_longer_one_does_not(pieces: list[bytes]) -> None:
    framing = Framing(limit=10)
    *before, last = pieces
    for piece in before:
        framing.feed(piece)
    with pytest.raises(MessageTooLong):
        framing.feed(last)
