"""What the plugin reports of a Zellij session: the *state* of docs/bridge.md, as Structs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec


class TabState(msgspec.Struct, frozen=True, kw_only=True):
    position: int  #: from 0
    tab_id: int
    name: str = ""
    active: bool = False
    floating_visible: bool = False


class PaneState(msgspec.Struct, frozen=True, kw_only=True):
    tab: int  #: position of its tab
    id: int  #: terminals and plugins are two number ranges
    is_plugin: bool = False
    is_floating: bool = False
    is_suppressed: bool = False
    x: int = 0  #: cells, as the four below
    y: int = 0
    rows: int = 0
    columns: int = 0
    title: str = ""
    focused: bool = False  #: within its layer, tiled or floating
    fullscreen: bool = False
    exited: bool = False
    exit_status: int | None = None
    held: bool = False
    command: str | None = None
    plugin_url: str | None = None
    stack: int | None = None


class Command(msgspec.Struct, frozen=True, kw_only=True):
    argv: tuple[str, ...] = ()
    foreground: bool = False  #: False: the shell is idle


class State(msgspec.Struct, frozen=True, kw_only=True):
    """One *state* of docs/bridge.md. `pids`, `cwds` and `commands` are keyed by terminal id."""

    seq: int = 0
    tabs: tuple[TabState, ...] = ()
    panes: tuple[PaneState, ...] = ()
    pids: dict[int, int] = {}
    cwds: dict[int, str] = {}
    commands: dict[int, Command] = {}
    typed: bool = False
    clients: int = 0
    layout: str | None = None


class Process(NamedTuple):
    cwd: str  #: absolute path, "" when it is not known
    argv: tuple[str, ...]  #: empty for an idle shell


Processes = Mapping[int, tuple[str, tuple[str, ...]]]

#: Zellij's own windows: opened for a moment, never part of what one was doing.
_POPUPS = frozenset(
    {
        "about",
        "configuration",
        "filepicker",
        "layout-manager",
        "multiple-select",
        "plugin-manager",
        "session-manager",
        "share",
        "welcome-screen",
    }
)


def is_own(location: str) -> bool:
    """Whether a plugin's location is zdriver's."""
    return location == "zdriver" or location.endswith("/zdriver.wasm")


def is_popup(location: str, *, floating: bool) -> bool:
    """Whether a plugin pane is left out: Zellij's own windows, zdriver's floating prompt."""
    if is_own(location):
        return floating
    return location.removeprefix("zellij:") in _POPUPS
