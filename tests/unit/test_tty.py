"""A terminal, looked at from outside."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator

import pytest

from zdriver.core import tty
from zdriver.testing import until

LINE = b"tail -f log\n"


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """(our end, its end)"""
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def test_what_is_typed_waits_until_it_is_read(terminal: tuple[int, int]) -> None:
    ours, theirs = terminal
    path = os.ttyname(theirs)
    assert tty.unread(path) == 0
    os.write(ours, LINE)
    until(lambda: tty.unread(path) == len(LINE), what="the line")
    assert os.read(theirs, 100) == LINE
    assert tty.unread(path) == 0


def test_where_there_is_no_terminal_nothing_waits() -> None:
    assert (tty.unread(""), tty.unread("/nonexistent"), tty.unread("/dev/null")) == (0, 0, 0)
