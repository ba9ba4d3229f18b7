"""Paths of another machine into those of this one. Pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from zdriver.context.contents import each_pane
from zdriver.context.layout import Layout, Pane


class Paths(NamedTuple):
    """Pairs (there, here), the most particular one first."""

    pairs: tuple[tuple[str, str], ...]

    def path(self, text: str) -> str:
        for there, here in self.pairs:
            if text == there:
                return here
            if text.startswith(f"{there}/"):
                return here + text[len(there) :]
        return text

    def word(self, text: str) -> str:
        """One word of a command: a path, or `--option=PATH`."""
        name, equals, value = text.partition("=")
        if equals and name.startswith("-") and value.startswith("/"):
            return f"{name}={self.path(value)}"
        return self.path(text) if text.startswith("/") else text

    def layout(self, layout: Layout) -> Layout:
        """Folders and commands; scrollback stays where it was."""

        def moved(pane: Pane) -> Pane:
            return msgspec.structs.replace(
                pane, cwd=self.path(pane.cwd), command=tuple(map(self.word, pane.command)), contents=""
            )

        return each_pane(layout, moved)


def between(*pairs: tuple[str, str]) -> Paths:
    """From (there, here); what is not absolute, or holds everything, moves nothing."""
    useful = [pair for pair in pairs if all(each.startswith("/") and each != "/" for each in pair)]
    return Paths(tuple(sorted(useful, key=lambda pair: -len(pair[0]))))
