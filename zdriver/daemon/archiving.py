"""The archive, where `archive.url` names one. Its driver is imported by the first question to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from zdriver.archive.api import ArchiveApi
from zdriver.archive.service import Archive, ArchiveService
from zdriver.context.model import Meant
from zdriver.core.config import Config
from zdriver.core.errors import Unavailable, ZdriverError
from zdriver.daemon.engines import Engines, asked
from zdriver.storage.host import host_id
from zdriver.storage.port import Store
from zdriver.worktrees.registry import Registry


class _Archiving:
    """A component: what archives, and the connection of what looks things up."""

    def __init__(
        self, start: Callable[[], None], stop: Callable[[], None], close: Callable[[], None]
    ) -> None:
        self.start = start
        self._stop = stop
        self._close = close

    def stop(self) -> None:
        try:
            self._stop()
        finally:
            self._close()


class ArchiveParts(NamedTuple):
    service: ArchiveApi
    components: tuple[_Archiving, ...] = ()
    #: what was forgotten is forgotten there, too
    forget: Callable[[], Literal["", "done", "owed"]] = lambda: ""
    #: an entry, by the end of its id, that was pruned here
    only_there: Callable[[str], Meant | None] = lambda _id: None
    #: how many archives the daemon stays for: what was missed is done within a day
    pending: Callable[[], int] = lambda: 0


def assemble_archive(store: Store, known: Registry, config: Config, engines: Engines) -> ArchiveParts:
    """A service that says why it cannot, where no `archive.url` is set or it is wrong."""
    address = engines.archive
    if address is None:
        return ArchiveParts(ArchiveService(_why(engines)))
    from zdriver.archive.archiver import Archiver

    archiver = Archiver(
        store,
        host=host_id(),
        shown=address.shown,
        interval=config.archive.interval,
        keep_days=config.archive.keep_days,
    )
    engines.healths.append(archiver.health)
    service = ArchiveService(Archive(archiver, address, lambda folder: _remote(known, folder)))
    return ArchiveParts(
        service,
        (_Archiving(archiver.start, archiver.stop, service.close),),
        archiver.forget,
        lambda given: service.only_there(given, _id_of(store)),
        lambda: 1,
    )


def _id_of(store: Store) -> str:
    row = store.read(lambda tx: tx.one("meta.get", key="store_id"))
    return "" if row is None else str(row["value"])


def _why(engines: Engines) -> Unavailable | None:
    for health in asked(engines.healths):
        if health.role == "archive":
            return Unavailable(health.message, hint=health.hint)
    return None


def _remote(known: Registry, folder: str) -> str:
    try:
        return known.repo(folder).remote
    except ZdriverError:  # no repository: then only what lies there is meant
        return ""
