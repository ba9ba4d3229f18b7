"""What goes out to `events.url`, where it is set: the relay, and the audit where it is asked for.

Their drivers are imported only then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from zdriver.core import urls
from zdriver.core.config import Config
from zdriver.core.engines import Address, configured
from zdriver.core.errors import Unavailable
from zdriver.daemon.engines import Engines
from zdriver.events.sinks import sink_name
from zdriver.storage.port import Store

if TYPE_CHECKING:
    from zdriver.events.audit.component import Audit
    from zdriver.events.relay.leading import Leader
    from zdriver.events.sinks import EventSink


class _Component(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


class Publishing(NamedTuple):
    components: tuple[_Component, ...] = ()
    #: how much the daemon must stay for: events that are still to go, a queue that it reads
    pending: Callable[[], int] = lambda: 0
    #: refused events are to be tried again now
    again: Callable[[], None] = lambda: None


def sinks(config: Config) -> tuple[str, ...]:
    """What every event is noted for, also while `events.url` cannot be used: it is not lost meanwhile."""
    if not configured("events.url", config):
        return ()
    try:
        return (sink_name(urls.parse(config.events.url).scheme),)
    except urls.Malformed:
        return (sink_name("amqp"),)


def assemble_publishing(
    store: Store, config: Config, engines: Engines, *, storage: Address | None = None
) -> Publishing:
    """Nothing where no `events.url` is set, or it cannot be begun with (and `engines` says why).

    storage  of a store that several daemons share: one of them publishes
    """
    address = engines.events
    if address is None:
        return Publishing()
    sink = engines.optional("events.url", "events", lambda: _sink(address, config))
    if sink is None:
        return Publishing()
    from zdriver.events.relay.book import Book
    from zdriver.events.relay.component import Relay

    name = sink_name(address.scheme)
    relay = Relay(Book(store, name), sink, address, leader=_leader(storage, f"relay:{name}"))
    engines.healths.append(relay.health)
    audit = _audit(address, config, engines, storage) if config.events.audit else None
    if audit is None:
        return Publishing((relay,), lambda: relay.pending, relay.again)
    engines.healths.append(audit.health)
    return Publishing((relay, audit), lambda: relay.pending + 1, relay.again)


def _sink(address: Address, config: Config) -> EventSink:
    from zdriver import plugins

    return plugins.event_sink(address, config)


def _audit(broker: Address, config: Config, engines: Engines, storage: Address | None) -> Audit | None:
    """None where it cannot be begun with (and `engines` says why)."""
    database = engines.archive or storage

    def made() -> Audit:
        from zdriver.events.audit.component import Audit

        if database is None:
            raise Unavailable(
                "events.audit is set, and there is no PostgreSQL to write into",
                hint="set archive.url, or storage.url",
            )
        return Audit(broker, database, config.events.exchange)

    return engines.optional("events.url", "audit", made)


def _leader(storage: Address | None, name: str) -> Leader | None:
    if storage is None:
        return None
    from zdriver.storage.postgres.leading import Leadership

    return Leadership(storage, name)
