"""A live Zellij session, as the restore sees it. The daemon's bridges implement this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

import msgspec

from zdriver.context.capturing import Capture
from zdriver.context.contents import Packed
from zdriver.context.layout import Layout

T = TypeVar("T")


class AppliedTab(msgspec.Struct, frozen=True, kw_only=True):
    tab: int  #: among the tabs asked for
    tab_id: int
    position: int


class AppliedPane(msgspec.Struct, frozen=True, kw_only=True):
    tab: int  #: among the tabs asked for
    pane: int  #: among its terminal panes
    id: int  #: Zellij's terminal id


class AppliedFailure(msgspec.Struct, frozen=True, kw_only=True):
    tab: int
    pane: int
    reason: str


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """The plugin's answer to `apply` (docs/bridge.md)."""

    tabs: tuple[AppliedTab, ...] = ()
    panes: tuple[AppliedPane, ...] = ()
    failed: tuple[AppliedFailure, ...] = ()


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    closed: int = 0


class Clients(msgspec.Struct, frozen=True, kw_only=True):
    count: int = 0


class Terminal(Protocol):
    """One Zellij session whose plugin is connected. Calls to it raise Unavailable."""

    @property
    def key(self) -> str:
        """Of its server (`ledger.server_key`)."""
        ...

    @property
    def zellij_session(self) -> str: ...

    @property
    def root(self) -> str: ...

    @property
    def capture(self) -> Capture: ...

    @property
    def connected(self) -> bool:
        """Whether its plugin has answered on the pipes that are open now."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """Within, nothing is recorded of it, and nobody else changes its panes."""
        ...

    def request(self, method: str, params: object, kind: type[T], *, timeout: float) -> T: ...

    def notify(self, method: str, params: object) -> None: ...

    def settle(self, ready: Callable[[], bool], *, timeout: float) -> bool:
        """Take in what happens until `ready()`; False after `timeout` seconds. Within `exclusive`."""
        ...

    def layout(self) -> Layout:
        """As it is now."""
        ...

    def keep(self) -> None:
        """Make its panes, as they are now, a generation. Within `exclusive`."""
        ...

    def scrollback(self) -> Mapping[str, Packed]:
        """What its panes show now, by `Pane.contents`; nothing where that is not kept."""
        ...

    def adopt_scrollback(self, texts: Mapping[int, Packed]) -> None:
        """What the panes of these ids were made with. Within `exclusive`."""
        ...

    def resurrected_us(self) -> int | None:
        """When Zellij wrote what it brought this session back from (µs); None: it did not."""
        ...

    def own_layout(self) -> bool:
        """Whether it was started with a layout that the user named."""
        ...

    def end(self) -> None:
        """End the Zellij session, and what Zellij kept of it."""
        ...


class Terminals(Protocol):
    """Every live Zellij session with a plugin connected."""

    def find(self, zellij_session: str) -> Terminal | None: ...
