"""Put together what deals with tasks; what listens for them only where `events.url` names a broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from zdriver.core.config import Config
from zdriver.core.engines import SCHEMES
from zdriver.daemon.engines import Engines
from zdriver.storage.port import Store
from zdriver.tasks.service import TasksService

if TYPE_CHECKING:
    from zdriver.tasks.listening import Listener


class Tasking(NamedTuple):
    service: TasksService
    #: at most one; the daemon stays for it
    components: tuple[Listener, ...] = ()


def assemble_tasks(store: Store, config: Config, engines: Engines) -> Tasking:
    """A listener that cannot be begun with is left out, and `engines` says why."""
    service = TasksService(store)
    broker = engines.events
    if broker is None or broker.scheme not in SCHEMES["events.url"]:
        return Tasking(service)

    def made() -> Listener:
        from zdriver.tasks.listening import Listener

        row = store.read(lambda tx: tx.one("meta.get", key="store_id"))
        assert row is not None
        return Listener(broker, service, exchange=config.events.exchange, store=row["value"])

    listener = engines.optional("events.url", "tasks", made)
    if listener is None:
        return Tasking(service)
    engines.healths.append(listener.health)
    return Tasking(service, (listener,))
