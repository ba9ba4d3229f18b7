"""Choosing one of many on a terminal: type to filter, arrows, Enter; Escape or Ctrl-C leaves.

All is drawn on stderr, for stdout may be a pipe: `cd "$(zdriver go)"`.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import shutil
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import click

from zdriver.cli.output import bold, dim, printable, wants_colour, width
from zdriver.cli.picking import Picking, cut, unfinished

T = TypeVar("T")
#: How a candidate is shown: its name, and what stands dim beside it.
Line = Callable[[T], tuple[str, str]]

_ROWS = 12
#: Seconds in which the rest of a key's sequence comes, over a slow line, too.
_ESCAPE = 0.05
_CLEAR = "\r\x1b[J"


def pick(find: Callable[[str], Sequence[T]], line: Line[T], *, what: str) -> T | None:
    """The chosen one of what `find` gives; None when the person left.

    Only where stdin and stderr are a terminal. One that cannot move its cursor gets numbers.
    """
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        return _by_number(find(""), line, what)
    picking = Picking(find)
    with _raw(sys.stdin.fileno()):
        try:
            while True:
                # Each time: the window may have another size by now.
                picking.rows = max(1, min(_ROWS, shutil.get_terminal_size().lines - 3))
                _draw(picking, line, what)
                outcome = picking.press(_key(sys.stdin.fileno()))
                if outcome:
                    return picking.chosen if outcome == "chosen" else None
        finally:
            _say(_CLEAR)


def _key(fd: int) -> str:
    """Byte by byte: what is typed after Enter is the shell's. The end of input is Ctrl-D."""
    decoder = codecs.getincrementaldecoder("utf-8")("ignore")
    key = ""
    while True:
        if key and not (unfinished(key) and select.select([fd], [], [], _ESCAPE)[0]):
            return key
        byte = os.read(fd, 1)
        if not byte:
            return "\x04"
        key += decoder.decode(byte)


def _draw(picking: Picking[T], line: Line[T], what: str) -> None:
    """The list under the line that is typed into; the cursor stays in that line."""
    columns = shutil.get_terminal_size().columns - 1
    head = f"{what}: {cut(picking.typed, max(1, columns - width(what) - 2))}"
    below = [_row(*line(each), marked, columns) for each, marked in picking.shown()]
    hidden = len(picking.found) - len(below)
    if not below:
        below = [dim(cut("  none fits; Ctrl-U begins anew", columns))]
    elif hidden:
        below.append(dim(cut(f"  {hidden} more", columns)))
    if wants_colour() is False:
        below = [click.unstyle(each) for each in below]
    _say(_CLEAR + "\r\n".join([head, *below]) + f"\x1b[{len(below)}A\r\x1b[{width(head)}C")


def _row(name: str, beside: str, marked: bool, columns: int) -> str:
    name = cut(name, columns - 2)
    left = columns - 4 - width(name)
    rest = dim(f"  {cut(beside, left)}") if beside and left > 1 else ""
    return (bold(f"❯ {name}") if marked else f"  {name}") + rest


def _by_number(found: Sequence[T], line: Line[T], what: str) -> T | None:
    for number, each in enumerate(found, 1):
        name, beside = line(each)
        click.echo(f"{number:>3}  {printable(name)}  {printable(beside)}".rstrip(), err=True)
    number = click.prompt(what, type=click.IntRange(1, len(found)), err=True)
    return found[number - 1]


@contextlib.contextmanager
def _raw(fd: int) -> Iterator[None]:
    """Keys as they are typed, Ctrl-C and Ctrl-Z among them; output as it was."""
    before = termios.tcgetattr(fd)
    now = termios.tcgetattr(fd)
    now[0] &= ~(termios.ICRNL | termios.IXON)
    now[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
    termios.tcsetattr(fd, termios.TCSADRAIN, now)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _say(text: str) -> None:
    # Not by click: without colours it would take out what moves the cursor, too.
    sys.stderr.write(text)
    sys.stderr.flush()
