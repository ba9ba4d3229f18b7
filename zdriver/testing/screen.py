"""What a terminal shows: enough of one to read Zellij's output, and to print it.

Zellij paints with few means: it puts the cursor somewhere, sets colours, writes cells.
Escape sequences: ECMA-48 and xterm's ctlseqs; what is not understood is left out.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

_SEQUENCE = re.compile(
    r"\x1b(?:"
    r"\[(?P<csi>[0-?]*)(?P<between>[ -/]*)(?P<final>[@-~])"  # CSI
    r"|\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC
    r"|[PX^_][^\x1b]*\x1b\\"  # DCS, SOS, PM, APC
    r"|[ -/]*[0-OQ-WYZ\\`-~]"  # the short ones
    r")"
)
#: Longer than this, an unfinished sequence is no sequence.
_LONGEST = 65_536


class Screen:
    """`feed` what the program wrote; `lines` is what a person would see. Not thread-safe."""

    def __init__(self, rows: int, columns: int) -> None:
        self.rows = rows
        self.columns = columns
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self._clear()

    def _clear(self) -> None:
        self._cells = [[" "] * self.columns for _ in range(self.rows)]
        self._x = self._y = 0

    def lines(self) -> list[str]:
        return ["".join(row).rstrip() for row in self._cells]

    def text(self) -> str:
        return "\n".join(self.lines())

    def feed(self, data: bytes) -> None:
        text = self._rest + self._decode(data)
        self._rest = ""
        position = 0
        while position < len(text):
            if text[position] != "\x1b":
                self._write(text[position])
                position += 1
                continue
            found = _SEQUENCE.match(text, position)
            if found:
                self._obey(found)
                position = found.end()
            elif len(text) - position < _LONGEST:
                self._rest = text[position:]  # its end is still to come
                return
            else:
                position += 1

    def _write(self, char: str) -> None:
        if char == "\r":
            self._x = 0
        elif char == "\n":
            self._line_feed()
        elif char == "\b":
            self._x = max(0, self._x - 1)
        elif char >= " " and char != "\x7f":
            self._put(char)

    def _put(self, char: str) -> None:
        if unicodedata.combining(char) or char in "\u200d\ufe0f":
            cell = max(0, min(self._x, self.columns) - 1)
            self._cells[self._y][cell] += char
            return
        wide = unicodedata.east_asian_width(char) in "WF"
        if self._x + wide >= self.columns:
            if self._x >= self.columns:
                self._x = 0
                self._line_feed()
            elif wide:
                return
        self._cells[self._y][self._x] = char
        if wide:  # the second cell of a wide character holds nothing
            self._cells[self._y][self._x + 1] = ""
        self._x += 1 + wide

    def _line_feed(self) -> None:
        if self._y + 1 < self.rows:
            self._y += 1
        else:
            self._cells = [*self._cells[1:], [" "] * self.columns]

    def _obey(self, sequence: re.Match[str]) -> None:
        final, parameters = sequence["final"], sequence["csi"] or ""
        if parameters.startswith("?") and final == "h" and "1049" in parameters:
            self._clear()  # the alternate screen begins empty
        if not final or sequence["between"] or parameters[:1] in ("<", "=", ">", "?"):
            return
        numbers = [int(word) if word.isdecimal() else 0 for word in parameters.split(";")]
        self._move(final, numbers)
        self._erase(final, numbers[0])

    def _move(self, final: str, numbers: list[int]) -> None:
        step = max(1, numbers[0])
        if final in ("H", "f"):
            column = numbers[1] if len(numbers) > 1 else 1
            self._y, self._x = step - 1, max(1, column) - 1
        elif final == "A":
            self._y -= step
        elif final == "B":
            self._y += step
        elif final == "C":
            self._x += step
        elif final == "D":
            self._x -= step
        elif final == "G":
            self._x = step - 1
        elif final == "d":
            self._y = step - 1
        else:
            return
        self._x = max(0, min(self._x, self.columns - 1))
        self._y = max(0, min(self._y, self.rows - 1))

    def _erase(self, final: str, what: int) -> None:
        before = range(min(self._x + 1, self.columns))
        after = range(self._x, self.columns)
        row = self._cells[self._y]
        if final in ("J", "K"):
            for cell in (after, before, range(self.columns))[min(what, 2)]:
                row[cell] = " "
        if final == "J" and what != 1:
            for below in self._cells[self._y + 1 :]:
                below[:] = [" "] * self.columns
        if final == "J" and what != 0:
            for above in self._cells[: self._y]:
                above[:] = [" "] * self.columns
        if final == "X":
            for cell in range(self._x, min(self._x + max(1, what), self.columns)):
                row[cell] = " "
