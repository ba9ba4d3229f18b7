"""Choosing one of many on a terminal: what is typed → what is chosen, and what is shown. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Generic, Literal, TypeVar

from zdriver.cli.output import printable, width

T = TypeVar("T")

Outcome = Literal["", "chosen", "left"]

#: Of keys that are no character, as xterm sends them: what may still become one.
_BEGUN = re.compile(r"\x1b(?:\[[0-9;]*|O)?")
_UP, _DOWN = ("\x1b[A", "\x1bOA", "\x10", "\x1b[Z"), ("\x1b[B", "\x1bOB", "\x0e", "\t")
_PAGE = {"\x1b[5~": -1, "\x1b[6~": 1}
_FIRST, _LAST = ("\x1b[H", "\x1bOH", "\x1b[1~"), ("\x1b[F", "\x1bOF", "\x1b[4~")
_ENTER, _LEAVE = ("\r", "\n"), ("\x03", "\x04", "\x1b", "\x07")
_BACK, _WORD, _ALL = ("\x7f", "\x08"), ("\x17",), ("\x15",)


def unfinished(text: str) -> bool:
    """Whether more belongs to this key; Escape alone is one as well, if nothing follows."""
    return _BEGUN.fullmatch(text) is not None


class Picking(Generic[T]):
    """`find` gives what fits the typed text, best first; `rows`: how many of it are shown at once."""

    def __init__(self, find: Callable[[str], Sequence[T]], rows: int = 10) -> None:
        self._find = find
        self.rows = rows
        self.typed = ""
        self.at = 0
        self.found = find("")

    def press(self, key: str) -> Outcome:
        if key in _ENTER:
            return "chosen" if self.found else ""
        if key in _LEAVE:
            return "left"
        if key in _UP or key in _DOWN:
            self._move((self.at + (1 if key in _DOWN else -1)) % max(1, len(self.found)))
        elif key in _PAGE:
            self._move(self.at + _PAGE[key] * self.rows)
        elif key in _FIRST or key in _LAST:
            self._move(0 if key in _FIRST else len(self.found) - 1)
        elif key in _BACK:
            self._type(self.typed[:-1])
        elif key in _WORD:
            self._type(re.sub(r"\S*\s*$", "", self.typed))
        elif key in _ALL:
            self._type("")
        elif key.isprintable():
            self._type(self.typed + key)
        return ""

    @property
    def chosen(self) -> T:
        return self.found[self.at]

    def shown(self) -> Sequence[tuple[T, bool]]:
        """The part of the list around the marked one, and which that is."""
        first = min(max(0, self.at - self.rows + 1), max(0, len(self.found) - self.rows))
        part = self.found[first : first + self.rows]
        return [(each, first + number == self.at) for number, each in enumerate(part)]

    def _type(self, text: str) -> None:
        self.typed = text
        self.found = self._find(text)
        self.at = 0

    def _move(self, to: int) -> None:
        self.at = max(0, min(to, len(self.found) - 1))


def cut(text: str, columns: int) -> str:
    """At most so many cells of a terminal, harmless for it; what is missing is an ellipsis."""
    text = printable(text)
    if width(text) <= columns:
        return text
    while text and width(text) > columns - 1:
        text = text[:-1]
    return f"{text}…"
