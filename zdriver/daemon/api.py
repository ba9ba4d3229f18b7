"""What can be asked of the daemon itself. Service name: `daemon`."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec

from zdriver.core.engines import EngineHealth


class DaemonStatus(msgspec.Struct, frozen=True, kw_only=True):
    pid: int
    version: str
    build: str
    started_at: datetime
    socket: str
    log: str  #: "" when it logs to a terminal
    database: str  #: path of the file, or `storage.url` without its secret
    clients: int  #: connected now, the asking one counted
    plugins: int  #: Zellij sessions whose plugin is connected
    fork_server: bool  #: everyday commands start fast
    idle_exit: int  #: seconds without clients and plugins after which it ends; 0: never
    stays_for: tuple[str, ...] = ()  #: why it does not end by itself now: sync/, events.url, archive.url
    memory_kib: int  #: proportional set size of the daemon and its fork server, 0 where unknown
    notices: tuple[str, ...] = ()  #: what the user should hear about, one line each
    engines: tuple[EngineHealth, ...] = ()  #: those that are configured


class DaemonApi(Protocol):
    def status(self) -> DaemonStatus: ...

    def stop(self) -> None:
        """Finish what was accepted, then end. Returns before the daemon is gone."""
        ...

    def reload(self, *, force: bool = False) -> bool:
        """Finish what was accepted, then execute the program anew if its files changed (or `force`).

        The sockets stay open meanwhile: whoever connects has to wait a moment. Whether it will.
        """
        ...
