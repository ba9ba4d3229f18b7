"""What plugins ask of the daemon's bridges, through `zdriver attach`. Service name: `bridge`."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    bridge: str  #: id of the bridge that is up now
    client: int  #: of the plugin instance that leads
    leads: bool  #: whether that is the one that asked


class BridgeApi(Protocol):
    def attach(self, *, zellij_session: str, zellij_pid: int, client: int, cwd: str = "") -> Attached:
        """Open the pipes to a Zellij session, on behalf of its plugin (docs/bridge.md)."""
        ...

    def sessions(self) -> tuple[str, ...]:
        """Zellij sessions whose plugin is connected, also by the names that they had before."""
        ...
