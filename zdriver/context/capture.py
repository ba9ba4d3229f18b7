"""What the plugin saw of a Zellij session → the `Layout` that a snapshot keeps.

    build_layout(state, processes, dump, previous=None) -> Layout | None   with a fresh dump
    update_layout(previous, state, processes) -> Layout | None  without one; None: ask for one
    digest, change, same_layout, normalise, compare             see `comparing`

`dump` is `zellij.kdl.parse_dump(state.layout)`. `processes` says, per terminal id, the
cwd and argv of what runs in the foreground as /proc has them, with an empty argv for an
idle shell; the caller looks them up. None means: nothing usable, keep what you have.

Who is believed about what: structure, per cent and stacks come from the dump; tab names,
floating geometry, focus, ended commands from the plugin's manifest; cwd and argv from
`processes`, else from Zellij's events, else from the dump. Pane names are the dump's
(the manifest cannot tell a given name from a program's title), refreshed by the manifest.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import msgspec

from zdriver.context.comparing import Difference, change, compare, digest, normalise, same_layout
from zdriver.context.layout import Frame, Layout, Pane, Plugin, Split, Tab, leaves, terminals
from zdriver.context.manifest import (
    Command,
    PaneState,
    Process,
    Processes,
    State,
    TabState,
    is_own,
    is_popup,
)
from zdriver.context.matching import assign, match_floating
from zdriver.context.scrollback import mark

__all__ = [
    "Command",
    "Difference",
    "PaneState",
    "Process",
    "Processes",
    "State",
    "TabState",
    "build_layout",
    "change",
    "compare",
    "digest",
    "is_own",
    "is_popup",
    "normalise",
    "same_layout",
    "update_layout",
]


_SCROLLBACK = re.compile(r"/[0-9a-f]{8}-[0-9a-f-]{27}\.dump\Z")


def build_layout(
    state: State,
    processes: Processes,
    dump: Layout | None,
    previous: Layout | None = None,
    *,
    mark: bool = False,
) -> Layout | None:
    """The session's layout, or None where `state` and `dump` do not describe one.

    previous   the layout before this one, or the one just restored: a command that waits for
               Enter has no process, and of an editor's a dump loses folder and arguments
    mark       give each terminal pane `scrollback.mark(id)` as its `contents`
    """
    return _Builder(state, processes, strict=False, previous=previous, mark=mark).layout(dump)


def update_layout(
    previous: Layout, state: State, processes: Processes, *, mark: bool = False
) -> Layout | None:
    """`previous` with today's names, focus, cwds and commands, where its structure still holds.

    None when panes or tabs came, went or changed places: then a dump is needed.
    """
    return _Builder(state, processes, strict=True, mark=mark).layout(previous)


class _Builder:
    def __init__(
        self,
        state: State,
        processes: Processes,
        *,
        strict: bool,
        previous: Layout | None = None,
        mark: bool = False,
    ) -> None:
        self.state = state
        self.processes = processes
        self.strict = strict
        self.mark = mark
        #: Zellij's one-line form of a command → the panes that had it, the first last
        self.earlier: dict[str, list[Pane]] = {}
        for tab in reversed(previous.tabs if previous else ()):
            for pane in reversed(terminals(tab)):
                self.earlier.setdefault(" ".join(pane.command), []).append(pane)

    def layout(self, known: Layout | None) -> Layout | None:
        tabs = sorted(self.state.tabs, key=lambda tab: tab.position)
        if known is None or not tabs or not self.state.panes:
            return None
        built = []
        # A tab that holds nothing but one of Zellij's own windows is no part of a layout
        named = [(tab, panes) for tab in tabs if (panes := self.panes(tab)) or not self.strict]
        if len(named) != len(known.tabs):
            return None
        for (tab, panes), old in zip(named, known.tabs, strict=True):
            made = self.tab(tab, panes, old)
            if made is None:
                return None
            if made.tiled or made.floating:
                built.append(made)
        if not any(pane.plugin is None for tab in built for pane in (*leaves(tab.tiled), *tab.floating)):
            return None
        return Layout(tabs=tuple(built), tail=known.tail)

    def panes(self, tab: TabState) -> list[PaneState]:
        return [
            pane
            for pane in self.state.panes
            if pane.tab == tab.position
            and not (pane.is_plugin and is_popup(pane.plugin_url or "", floating=pane.is_floating))
            # the background plugin and what it hides
            and not (pane.is_plugin and pane.is_suppressed)
        ]

    def tab(self, tab: TabState, panes: list[PaneState], known: Tab) -> Tab | None:
        tree = without_popups(known.tiled)
        hidden = [pane for pane in panes if pane.is_suppressed]
        shown = [self.behind_editor(pane, hidden) for pane in panes if not pane.is_suppressed]
        tiled = [pane for pane in shown if not pane.is_floating]
        found = assign(tree, tiled, hidden, strict=self.strict)
        if found is None:
            return None
        filled = iter([self.pane(leaf, pane) for leaf, pane in zip(leaves(tree), found, strict=True)])
        floating = self.floating(known, [pane for pane in shown if pane.is_floating])
        if floating is None:
            return None
        return Tab(
            name=tab.name,
            focus=tab.active,
            tiled=_rebuild(tree, filled),
            floating=floating,
            hide_floating=bool(floating) and not tab.floating_visible,
        )

    def behind_editor(self, pane: PaneState, hidden: list[PaneState]) -> PaneState:
        """The terminal whose scrollback is being edited in `pane`, else `pane`.

        Zellij puts the editor in the terminal's place and hides that; a dump has the terminal.
        """
        _, argv = self.processes.get(pane.id, ("", ()))
        if pane.is_plugin or not argv or not _SCROLLBACK.search(argv[-1]):
            return pane
        place = (pane.x, pane.y, pane.rows, pane.columns)
        for other in hidden:
            if (other.x, other.y, other.rows, other.columns) == place and not other.is_plugin:
                hidden.remove(other)
                shown = {"is_suppressed": False, "is_floating": pane.is_floating, "focused": pane.focused}
                return msgspec.structs.replace(other, **shown)
        return pane

    def floating(self, known: Tab, panes: list[PaneState]) -> tuple[Pane, ...] | None:
        old = [p for p in known.floating if not (p.plugin and is_popup(p.plugin.location, floating=True))]
        if self.strict and len(old) != len(panes):
            return None
        made = []
        for leaf, pane in match_floating(old, panes):
            base = leaf if leaf is not None else _unknown(pane)
            frame = Frame(
                x=str(pane.x),
                y=str(pane.y),
                width=str(max(1, pane.columns)),
                height=str(max(1, pane.rows)),
                pinned=base.frame is not None and base.frame.pinned,
            )
            made.append(self.pane(msgspec.structs.replace(base, frame=frame), pane))
        return tuple(made)

    def pane(self, leaf: Pane, pane: PaneState | None) -> Pane:
        if pane is None:
            return leaf
        name = pane.title if leaf.name else ""
        if leaf.plugin is not None:
            return msgspec.structs.replace(leaf, name=name, focus=pane.focused)
        ended = pane.exited or (pane.held and pane.exit_status is not None)
        cwd, argv = self.process(leaf, pane, waiting=ended or pane.held)
        return msgspec.structs.replace(
            leaf,
            name=name,
            cwd=cwd,
            command=argv,
            focus=pane.focused,
            exited=ended,
            redacted=leaf.redacted and argv == leaf.command,
            contents=mark(pane.id) if self.mark else leaf.contents,
        )

    def process(self, leaf: Pane, pane: PaneState, *, waiting: bool) -> tuple[str, tuple[str, ...]]:
        cwd, argv = self.processes.get(pane.id, ("", None))
        cwd = cwd or self.state.cwds.get(pane.id, "") or leaf.cwd
        command = self.state.commands.get(pane.id)
        if waiting:
            return self.waiting(leaf, pane, cwd)
        if argv is not None:
            return cwd, argv if not argv or not _SCROLLBACK.search(argv[-1]) else ()
        if command is not None:
            return cwd, command.argv if command.foreground else ()
        return cwd, leaf.command

    def waiting(self, leaf: Pane, pane: PaneState, cwd: str) -> tuple[str, tuple[str, ...]]:
        """What a held pane would run on Enter. No process tells, and Zellij's one line has lost the words."""
        if pane.command is None:
            return cwd, leaf.command
        if earlier := self.earlier.get(pane.command):
            return earlier[-1].cwd, earlier.pop().command
        if " ".join(leaf.command) == pane.command:
            return cwd, leaf.command
        return cwd, _words(pane.command)


def without_popups(nodes: tuple[Pane | Split, ...]) -> tuple[Pane | Split, ...]:
    """`nodes` without Zellij's own windows; containers left empty go too."""
    kept: list[Pane | Split] = []
    for node in nodes:
        if isinstance(node, Pane):
            if node.plugin is None or not is_popup(node.plugin.location, floating=False):
                kept.append(node)
        elif children := without_popups(node.children):
            kept.append(msgspec.structs.replace(node, children=children))
    return tuple(kept)


def _rebuild(nodes: tuple[Pane | Split, ...], filled: Iterator[Pane]) -> tuple[Pane | Split, ...]:
    return tuple(
        next(filled)
        if isinstance(node, Pane)
        else msgspec.structs.replace(node, children=_rebuild(node.children, filled))
        for node in nodes
    )


def _unknown(pane: PaneState) -> Pane:
    """A floating pane that the dump does not have yet."""
    if pane.is_plugin:
        return Pane(plugin=Plugin(location=pane.plugin_url or ""))
    return Pane(command=_words(pane.command))


def _words(command: str | None) -> tuple[str, ...]:
    """Zellij's one-line form of a command. It does not quote, so this is the last resort."""
    try:
        return tuple(shlex.split(command or ""))
    except ValueError:
        return tuple((command or "").split())
