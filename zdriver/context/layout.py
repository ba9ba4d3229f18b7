"""A Zellij session's tabs and panes as zdriver keeps them: every cwd absolute, every argv whole.

This is the content of a snapshot. It is Zellij's layout language (KDL version 1) in
meaning, without its shorthands; `zdriver.zellij.kdl` reads and writes the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec


class Plugin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A plugin pane's content: `plugin location="zellij:tab-bar" { key "value" }`."""

    location: str
    configuration: dict[str, str] = {}


class Frame(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Place of a floating pane: cells ("12") or per cent of the screen ("40%")."""

    x: str | None = None
    y: str | None = None
    width: str | None = None
    height: str | None = None
    pinned: bool = False


class Pane(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="pane"):
    """One pane: a terminal, or a plugin where `plugin` is set."""

    name: str = ""  #: as given by the user, "" when Zellij shows the command's title
    cwd: str = ""  #: absolute path; "" for plugin panes
    command: tuple[str, ...] = ()  #: argv of what ran in the foreground; empty: an idle shell
    plugin: Plugin | None = None
    size: str | None = None  #: rows or columns ("5"), or per cent of the parent ("50%")
    focus: bool = False
    borderless: bool = False
    expanded: bool = False  #: the open one of a stack
    exited: bool = False  #: its command had ended and Zellij held the pane
    frame: Frame | None = None  #: floating panes only
    redacted: bool = False  #: something secret was cut from argv: never run again
    contents: str = ""  #: key of its scrollback, "" when none was kept


class Split(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="split"):
    """A container of panes side by side or one above the other, or a stack."""

    direction: Literal["horizontal", "vertical"] = "horizontal"  #: horizontal: one above the other
    stacked: bool = False
    size: str | None = None
    children: tuple[Pane | Split, ...] = ()


class Tab(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    name: str = ""
    focus: bool = False
    tiled: tuple[Pane | Split, ...] = ()  #: bars (plugin panes) included
    floating: tuple[Pane, ...] = ()
    hide_floating: bool = False


class Layout(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All tabs of one Zellij session, and what its later tabs are made from."""

    tabs: tuple[Tab, ...] = ()
    tail: str = ""  #: KDL of `new_tab_template` and the swap layouts, kept as dumped


def leaves(nodes: tuple[Pane | Split, ...]) -> list[Pane]:
    """The panes below `nodes`, in the order in which they are written."""
    found: list[Pane] = []
    for node in nodes:
        if isinstance(node, Split):
            found += leaves(node.children)
        else:
            found.append(node)
    return found


def terminals(tab: Tab) -> list[Pane]:
    """A tab's terminal panes: tiled in order, then floating. Their index is `PanePlan.pane_index`."""
    return [pane for pane in (*leaves(tab.tiled), *tab.floating) if pane.plugin is None]


def making_order(tab: Tab) -> tuple[int, ...]:
    """For each of `terminals(tab)`: as which one, from 0, Zellij starts it.

    Zellij 0.45 starts the first pane of every child before the others (`TiledPaneLayout::
    extract_run_instructions`), and floating panes after all tiled ones. Terminal ids grow in
    this order, so it tells which new terminal became which pane.
    """
    written = iter(range(len(leaves(tab.tiled))))
    started = _started(tab.tiled, written)
    tiled = [at for at, pane in enumerate(leaves(tab.tiled)) if pane.plugin is None]
    ranks = {at: rank for rank, at in enumerate(at for at in started if at in tiled)}
    floating = sum(pane.plugin is None for pane in tab.floating)
    return (*(ranks[at] for at in tiled), *range(len(tiled), len(tiled) + floating))


def _started(nodes: tuple[Pane | Split, ...], written: Iterator[int]) -> list[int]:
    """The panes below `nodes` in the order of their start, each as its place in `leaves`."""
    below = [_started(n.children, written) if isinstance(n, Split) else [next(written)] for n in nodes]
    firsts = [panes[0] for panes in below if panes]
    return firsts + [at for panes in below for at in panes[1:]]
