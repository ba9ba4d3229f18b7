"""The hot copy, where `context.url` names one. Its driver is imported only then."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from zdriver.context.elsewhere import NOWHERE, Elsewhere
from zdriver.core.clock import now_us
from zdriver.core.config import Config
from zdriver.core.engines import Address, EngineHealth
from zdriver.daemon.engines import Engines
from zdriver.storage.host import host_id
from zdriver.storage.port import Store

if TYPE_CHECKING:
    from zdriver.context.snapshots import SnapshotService
    from zdriver.hot.following import Following
    from zdriver.hot.port import Hot


class HotParts(NamedTuple):
    components: list[HotComponent]
    elsewhere: Elsewhere


class HotComponent:
    """Follows while the daemon serves, then lets go of the engine."""

    def __init__(self, following: Following, hot: Hot) -> None:
        self._following = following
        self._hot = hot

    def start(self) -> None:
        self._following.start()

    def stop(self) -> None:
        with contextlib.closing(self._hot):
            self._following.stop()


def assemble_hot(store: Store, snapshots: SnapshotService, config: Config, engines: Engines) -> HotParts:
    """Nothing where no `context.url` is set, or it cannot be begun with (and `engines` says why)."""
    address = engines.context
    hot = address and engines.optional("context.url", "context", lambda: _opened(address, config))
    if not hot:
        return HotParts([], NOWHERE)
    from zdriver.hot.following import Following
    from zdriver.hot.reading import Views
    from zdriver.hot.sites import Sites, login
    from zdriver.hot.taking import Taking

    host = host_id()
    sites = Sites(user=config.context.user or login(), host=host)
    taking = Taking(
        store, hot, snapshots, host=host, site_of=sites.of, caught_up=lambda: following.caught_up()
    )
    views = Views(store, host=host, site_of=sites.of)
    following = Following(store, hot, views, host=host, recover=taking.recover, clock=now_us)

    def health() -> EngineHealth:
        return msgspec.structs.replace(hot.health(), lag=following.lag())

    engines.healths.append(health)
    return HotParts([HotComponent(following, hot)], taking)


def _opened(address: Address, config: Config) -> Hot:
    from zdriver import plugins

    return plugins.hot_context(address, config)
