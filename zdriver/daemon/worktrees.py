"""Put together what deals with worktrees; nothing of git is loaded before the first of them."""

from __future__ import annotations

import logging
import threading
from typing import NamedTuple

from zdriver.core.config import load_config
from zdriver.core.errors import ZdriverError
from zdriver.daemon.expiring import Expiring
from zdriver.hooks.leasing import Leases
from zdriver.hooks.resources import RepoResources
from zdriver.hooks.service import HooksService
from zdriver.storage.port import Store
from zdriver.worktrees.elsewhere import introduce
from zdriver.worktrees.locks import Locks
from zdriver.worktrees.ports import Guard, Linker
from zdriver.worktrees.registry import Registry
from zdriver.worktrees.reviewing import ReviewsService
from zdriver.worktrees.service import WorktreesService

log = logging.getLogger(__name__)


class Settling:
    """A component: at its start, what was killed halfway is finished or taken back, beside all else."""

    def __init__(self, worktrees: WorktreesService) -> None:
        self._worktrees = worktrees
        self._thread = threading.Thread(target=self._run, name="settling", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        # It may be waiting for a git that takes long; what is not settled now is at the next start.
        self._thread.join(1.0)

    def _run(self) -> None:
        try:
            self._worktrees.settle_all()
        except ZdriverError as error:
            log.warning("what was killed halfway is not settled: %s", error.message)
        except Exception:
            log.exception("what was killed halfway is not settled")


class Worktrees(NamedTuple):
    service: WorktreesService
    settling: Settling
    expiring: Expiring
    hooks: HooksService
    reviews: ReviewsService


def registry(store: Store) -> Registry:
    """The file is read anew each time: a changed setting counts from the next worktree on."""
    made = Registry(store, path=lambda: load_config().worktrees.path)
    if store.shared:
        introduce(store, made.host)
    return made


def assemble_worktrees(
    store: Store,
    registry: Registry,
    *,
    guard: Guard,
    linker: Linker,
) -> Worktrees:
    resources = RepoResources(Leases(store, host=registry.host, ports=load_config().ports))
    locks = Locks()
    service = WorktreesService(
        registry,
        guard,
        linker,
        resources,
        branch=lambda: load_config().worktrees.branch,
        locks=locks,
    )
    return Worktrees(
        service,
        Settling(service),
        Expiring(service),
        HooksService(store, registry.find, resources.environment),
        ReviewsService(registry, service, guard, locks),
    )
