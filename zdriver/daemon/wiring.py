"""The one place where services are put together: for the daemon and for `zdriver.open()`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from zdriver.context.api import ContextApi, RestoreApi, SnapshotApi
from zdriver.core.config import load_config
from zdriver.daemon.attaching import BridgeApi
from zdriver.rpc.methods import MethodTable

log = logging.getLogger(__name__)


class Component(Protocol):
    """Something with a thread or children of its own."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


@dataclass
class Assembly:
    """What one process serves."""

    #: service name → (Api class, implementation)
    services: dict[str, tuple[type, object]] = field(default_factory=dict)
    #: started in this order, stopped in the opposite one
    components: list[Component] = field(default_factory=list)
    #: Zellij sessions whose plugin is connected
    plugins: Callable[[], int] = lambda: 0
    #: methods of their own
    extend: list[Callable[[MethodTable], None]] = field(default_factory=list)
    #: what the user should hear about
    notices: Callable[[], tuple[str, ...]] = tuple
    #: told before the components stop, whether the same process comes back at once
    leaving: Callable[[bool], None] = lambda _coming_back: None
    close: Callable[[], None] = lambda: None

    def register(self, table: MethodTable) -> None:
        for name, (api, implementation) in self.services.items():
            table.add(name, api, implementation)
        for extend in self.extend:
            extend(table)

    def start(self) -> None:
        """Raises what a component raises, after those before it were stopped."""
        started: list[Component] = []
        try:
            for component in self.components:
                component.start()
                started.append(component)
        except BaseException:
            _stop(started)
            raise

    def stop(self, *, coming_back: bool = False) -> None:
        self.leaving(coming_back)
        _stop(self.components)
        self.close()


def _stop(components: list[Component]) -> None:
    for component in reversed(components):
        try:
            component.stop()
        except Exception:
            log.exception("stopping %s", type(component).__name__)


def assemble() -> Assembly:
    """Open the store and make every service. Raises StoreInUse and other ZdriverErrors."""
    from zdriver.context.service import ContextService
    from zdriver.context.snapshots import SnapshotService
    from zdriver.daemon.terminals import assemble_terminals
    from zdriver.storage.sqlite import SqliteStore

    config = load_config()
    store = SqliteStore(config.database())
    try:
        contexts = ContextService(store)
        snapshots = SnapshotService(store)
        bridges, restores = assemble_terminals(store, contexts, snapshots, config)
        snapshots.capturer = bridges.captured
        return Assembly(
            services={
                "context": (ContextApi, contexts),
                "snapshot": (SnapshotApi, snapshots),
                "restore": (RestoreApi, restores),
                "bridge": (BridgeApi, bridges),
            },
            components=[bridges],
            plugins=bridges.count,
            leaving=bridges.leaving,
            close=store.close,
        )
    except BaseException:
        store.close()
        raise
