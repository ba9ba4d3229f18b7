"""The store of this daemon: SQLite, or what `storage.url` names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from zdriver.core.config import Config
from zdriver.core.engines import SCHEMES, Address, address
from zdriver.daemon.engines import Engines
from zdriver.storage.port import Store

if TYPE_CHECKING:
    from zdriver.storage.sqlite.recovery import Recovery

SETTING = "storage.url"


class Opened(NamedTuple):
    store: Store
    #: what happened to it lately that the user should know
    recovery: Callable[[], Recovery | None]
    #: of PostgreSQL, which several daemons may share; None where this daemon has the store for itself
    shared: Address | None


def open_store(config: Config, engines: Engines, sinks: tuple[str, ...]) -> Opened:
    """Raises StoreInUse, Unavailable and what else a store raises when it cannot be opened.

    engines  hears of one that can say how it is
    sinks    names that each event gets a delivery for
    """
    at = address(SETTING, config, others=True)
    if at is None:
        from zdriver.storage.sqlite import SqliteStore

        local = SqliteStore(config.database(), sinks=sinks)
        return Opened(local, local.recovery, None)
    from zdriver import plugins

    store = plugins.storage(at, sinks)
    if health := getattr(store, "health", None):
        engines.healths.insert(0, health)
    return Opened(
        store, getattr(store, "recovery", lambda: None), at if at.scheme in SCHEMES[SETTING] else None
    )
