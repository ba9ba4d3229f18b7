"""Paths of another machine into those of this one. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from zdriver.context.layout import Layout, Pane, Split

_NAME = re.compile(r"(zellij:)?[\w-]+")


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


def from_elsewhere(layout: Layout, paths: Paths) -> Layout:
    """A layout of another machine as it may be used here.

    Folders and commands are translated; scrollback stayed there. Templates for new tabs and swap layouts are
    those of here, and of plugins only those with a name are kept, which the configuration of here gives a
    meaning: files lie elsewhere here, and whoever can write into the hot copy must not choose what is loaded.
    """
    tabs = (
        msgspec.structs.replace(
            tab,
            tiled=tuple(_nodes(tab.tiled, paths)),
            floating=tuple(_pane(pane, paths) for pane in tab.floating if _is_known(pane)),
        )
        for tab in layout.tabs
    )
    return Layout(tabs=tuple(tabs))


def _nodes(nodes: tuple[Pane | Split, ...], paths: Paths) -> Iterator[Pane | Split]:
    """A container of which nothing is left is left out as well."""
    for node in nodes:
        if isinstance(node, Pane):
            if _is_known(node):
                yield _pane(node, paths)
        elif children := tuple(_nodes(node.children, paths)):
            yield msgspec.structs.replace(node, children=children)


def _is_known(pane: Pane) -> bool:
    return pane.plugin is None or _NAME.fullmatch(pane.plugin.location) is not None


def _pane(pane: Pane, paths: Paths) -> Pane:
    command = tuple(map(paths.word, pane.command))
    return msgspec.structs.replace(pane, cwd=paths.path(pane.cwd), command=command, contents="")


def between(*pairs: tuple[str, str]) -> Paths:
    """From (there, here); what is not absolute, or holds everything, moves nothing."""
    useful = [pair for pair in pairs if all(each.startswith("/") and each != "/" for each in pair)]
    return Paths(tuple(sorted(useful, key=lambda pair: -len(pair[0]))))
