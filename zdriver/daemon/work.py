"""What a live Zellij session says of itself when it is ready, and what is done for it then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import msgspec

from zdriver.context.layout import Layout
from zdriver.zellij.messages import Message

if TYPE_CHECKING:
    from zdriver.daemon.live import LiveSession


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """`plugin.ready`"""

    protocol: int
    version: str = ""
    bridge: str = ""
    client_id: int = 0
    plugin_id: int = 0
    zellij_session: str = ""
    zellij_version: str = ""
    zellij_pid: int = 0
    initial_cwd: str = ""


class Work(Protocol):
    """What is done for a session (`daemon/bridges.py`)."""

    def opening(self, session: LiveSession) -> None:
        """The first state is there: decide what becomes of this session. Called once, exclusively."""
        ...

    def record(self, session: LiveSession, layout: Layout) -> bool:
        """Keep it; False where there is nothing in it yet that is worth a generation."""
        ...

    def renamed(self, session: LiveSession, name: str) -> None:
        """Its Zellij session was given that name: what is kept under the old one goes along."""
        ...

    def status(self, session: LiveSession) -> object:
        """Parameters of `status`."""

    def warning(self) -> str:
        """What every status line warns of; asked once a second."""
        ...

    def serve(self, session: LiveSession, message: Message) -> object: ...

    def ended(self, session: LiveSession, reason: str) -> None: ...
