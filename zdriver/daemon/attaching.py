"""What is asked of the daemon's bridges: `zdriver attach`, and `--tab`. Service name: `bridge`."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    bridge: str  #: id of the bridge that is up now
    client: int  #: of the plugin instance that leads
    leads: bool  #: whether that is the one that asked


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The tab that stands in a worktree, and has the keys now."""

    made: bool  #: False: it was there
    tab: str  #: its name
    position: int  #: from 0


class BridgeApi(Protocol):
    def attach(self, *, zellij_session: str, zellij_pid: int, client: int, cwd: str = "") -> Attached:
        """Open the pipes to a Zellij session, on behalf of its plugin (docs/bridge.md)."""
        ...

    def sessions(self) -> tuple[str, ...]:
        """Zellij sessions whose plugin is connected, also by the names that they had before."""
        ...

    def open_tab(self, *, zellij_session: str, path: str, name: str = "") -> Opened:
        """Go to the tab whose panes stand in the worktree at `path`, else open one there.

        Raises InvalidInput outside of a worktree, Unavailable when no plugin is connected in that
        Zellij session, NotFound when the layout to open is not there.
        """
        ...
