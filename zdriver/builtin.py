"""The engines that are built in, as plugins like any other: `zdriver.hookspecs`.

Drivers are imported when a URL names them, and not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zdriver.core.engines import SCHEMES, Address
from zdriver.hookspecs import hookimpl

if TYPE_CHECKING:
    from zdriver.core.config import Config
    from zdriver.events.sinks import EventSink
    from zdriver.hot.port import Hot
    from zdriver.storage.port import Store


@hookimpl(trylast=True)
def zdriver_storage(address: Address, sinks: tuple[str, ...]) -> Store | None:
    if address.scheme not in SCHEMES["storage.url"]:
        return None
    from zdriver.storage.postgres.store import PostgresStore

    return PostgresStore(address, sinks=sinks)


@hookimpl(trylast=True)
def zdriver_hot_context(address: Address, config: Config) -> Hot | None:
    if address.scheme not in SCHEMES["context.url"]:
        return None
    from zdriver.hot.redis import redis_hot

    return redis_hot(address, config)


@hookimpl(trylast=True)
def zdriver_event_sink(address: Address, config: Config) -> EventSink | None:
    if address.scheme not in SCHEMES["events.url"]:
        return None
    from zdriver.events.relay.publisher import RabbitMqSink

    return RabbitMqSink(address, config.events.exchange, audit=config.events.audit)
