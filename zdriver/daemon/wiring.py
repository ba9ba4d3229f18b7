"""The one place where services are put together: for the daemon and for `zdriver.open()`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from zdriver.archive.api import ArchiveApi
from zdriver.claims.api import ClaimsApi
from zdriver.context.api import ContextApi, RestoreApi, SnapshotApi
from zdriver.core.clock import now_us
from zdriver.core.config import load_config
from zdriver.daemon.attaching import BridgeApi
from zdriver.daemon.engines import Engines, Health
from zdriver.hooks.api import HooksApi
from zdriver.importing.api import ImportsApi
from zdriver.rpc.events import Events
from zdriver.rpc.events_api import EventsApi
from zdriver.rpc.methods import MethodTable
from zdriver.sync.api import SyncApi
from zdriver.tasks.api import TasksApi
from zdriver.worktrees.api import WorktreesApi
from zdriver.worktrees.reviews_api import ReviewsApi

if TYPE_CHECKING:
    from zdriver.claims.service import ClaimsService
    from zdriver.context.service import ContextService
    from zdriver.context.snapshots import SnapshotService
    from zdriver.core.config import Config
    from zdriver.daemon.bridges import Bridges
    from zdriver.daemon.hot import HotParts
    from zdriver.daemon.stores import Opened
    from zdriver.daemon.syncing import Syncing
    from zdriver.daemon.worktrees import Worktrees
    from zdriver.storage.port import Store
    from zdriver.storage.sqlite.recovery import Recovery
    from zdriver.sync.service import SyncService
    from zdriver.tasks.service import TasksService
    from zdriver.worktrees.registry import Registry

log = logging.getLogger(__name__)

#: Days in which the recovery of a damaged store is told.
NEWS_DAYS = 7


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
    #: what else the daemon stays for, idle or not
    stays_for: Callable[[], tuple[str, ...]] = tuple
    #: methods of their own
    extend: list[Callable[[MethodTable], None]] = field(default_factory=list)
    #: what the user should hear about
    notices: Callable[[], tuple[str, ...]] = tuple
    #: those that arose at or after a moment (µs)
    news: Callable[[int], tuple[str, ...]] = lambda _since: ()
    #: how the engines are that are configured; none of them waits for an answer
    engines: list[Health] = field(default_factory=list)
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
    from zdriver.daemon.relaying import sinks
    from zdriver.daemon.stores import open_store

    config = load_config()
    engines = Engines(config)
    opened = open_store(config, engines, sinks(config))
    try:
        return _assembled(config, engines, opened)
    except BaseException:
        opened.store.close()
        raise


class _Local(NamedTuple):
    """What deals with this machine: with what is open on it, and its worktrees."""

    contexts: ContextService
    snapshots: SnapshotService
    restores: RestoreApi
    bridges: Bridges
    known: Registry
    worktrees: Worktrees
    claims: ClaimsService
    sync: SyncService
    syncing: Syncing


def _local(
    config: Config, engines: Engines, store: Store, snapshots: SnapshotService, hot: HotParts
) -> _Local:
    from zdriver.claims.service import ClaimsService
    from zdriver.context.service import ContextService
    from zdriver.daemon.syncing import Syncing
    from zdriver.daemon.terminals import assemble_terminals
    from zdriver.daemon.worktrees import assemble_worktrees, registry
    from zdriver.sync.service import SyncService

    contexts = ContextService(store)
    contexts.elsewhere = hot.elsewhere
    known = registry(store)
    claims = ClaimsService(store, known.find)
    sync = SyncService(store, known, claims.guard)
    worktrees = assemble_worktrees(store, known, guard=claims.guard, linker=sync)
    bridges, restores = assemble_terminals(
        store,
        contexts,
        snapshots,
        config,
        known=known,
        worktrees=worktrees.service,
        hooks=worktrees.hooks,
        elsewhere=hot.elsewhere,
    )
    snapshots.capturer = bridges.captured
    bridges.warning = engines.warning
    contexts.names.now = bridges.name_now
    return _Local(
        contexts, snapshots, restores, bridges, known, worktrees, claims, sync, Syncing(sync, store)
    )


def _assembled(config: Config, engines: Engines, opened: Opened) -> Assembly:
    from zdriver.context.snapshots import SnapshotService
    from zdriver.daemon.archiving import assemble_archive
    from zdriver.daemon.hot import assemble_hot
    from zdriver.daemon.queueing import Queueing
    from zdriver.daemon.relaying import assemble_publishing
    from zdriver.daemon.tasking import assemble_tasks

    store, recovery, shared = opened
    snapshots = SnapshotService(store)
    hot = assemble_hot(store, snapshots, config, engines)
    local = _local(config, engines, store, snapshots, hot)
    archive = assemble_archive(store, local.known, config, engines)
    local.contexts.archive_forgets = archive.forget
    local.contexts.only_archived = archive.only_there
    publishing = assemble_publishing(store, config, engines, storage=shared)
    events = Events(store)
    events.again = publishing.again
    tasks = assemble_tasks(store, config, engines)
    stays = {
        "sync/": local.syncing.count,
        "events.url": lambda: publishing.pending() + len(tasks.components),
        "archive.url": archive.pending,
    }
    return Assembly(
        services=_services(local, events, tasks.service, archive.service),
        extend=[events.register, Queueing(local.claims).register],
        notices=lambda: _notices(recovery(), now_us() - NEWS_DAYS * 86_400_000_000),
        news=lambda since: _notices(recovery(), since),
        components=[
            local.bridges,
            local.claims.keeper,
            local.worktrees.settling,
            local.worktrees.expiring,
            local.syncing,
            *hot.components,
            *publishing.components,
            *archive.components,
            *tasks.components,
        ],
        plugins=local.bridges.count,
        stays_for=lambda: tuple(name for name, how_many in stays.items() if how_many()),
        engines=engines.healths,
        leaving=local.bridges.leaving,
        close=store.close,
    )


def _services(
    local: _Local, events: Events, tasks: TasksService, archive: ArchiveApi
) -> dict[str, tuple[type, object]]:
    from zdriver.importing.service import ImportsService

    worktrees = local.worktrees
    return {
        "context": (ContextApi, local.contexts),
        "snapshot": (SnapshotApi, local.snapshots),
        "restore": (RestoreApi, local.restores),
        "worktrees": (WorktreesApi, worktrees.service),
        "reviews": (ReviewsApi, worktrees.reviews),
        "hooks": (HooksApi, worktrees.hooks),
        "claims": (ClaimsApi, local.claims),
        "sync": (SyncApi, local.sync),
        "tasks": (TasksApi, tasks),
        "archive": (ArchiveApi, archive),
        "bridge": (BridgeApi, local.bridges),
        "events": (EventsApi, events),
        "imports": (
            ImportsApi,
            ImportsService(
                local.known, worktrees.service.add_type, local.claims.claim, local.snapshots.record
            ),
        ),
    }


def _notices(recovery: Recovery | None, since: int) -> tuple[str, ...]:
    """What happened to the store, if that was after `since` (µs)."""
    return () if recovery is None or recovery.at < since else (recovery.message(),)
