"""A store whose events go to a real broker, and a reader that knows nothing of zdriver: plain pika."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pika

from zdriver.core.engines import Address
from zdriver.events.relay.book import Book
from zdriver.events.relay.component import Relay
from zdriver.events.relay.leading import Leader
from zdriver.events.relay.publisher import RabbitMqSink
from zdriver.storage.port import Event, Store, Transaction
from zdriver.storage.sqlite import SqliteStore
from zdriver.testing import until

EXCHANGE = "bloodbank.events.v1"
SINK = "rabbitmq"


def address(url: str) -> Address:
    return Address(setting="events.url", scheme=url.partition(":")[0], url=url)


def embedded(folder: Path) -> SqliteStore:
    return SqliteStore(folder / "store.db", sinks=(SINK,), reserve=0)


class Got(NamedTuple):
    """A message as a stranger sees it."""

    key: str
    id: str
    aggregate: str
    number: int  #: the payload's `n`
    body: bytes
    properties: pika.BasicProperties


class Reader:
    """A durable queue bound to everything, or to some types, read with plain pika."""

    def __init__(self, url: str, *, key: str = "#", queue: str = "reader", **arguments: Any) -> None:
        self._url, self._queue = url, queue
        with self.channel() as channel:
            channel.exchange_declare(EXCHANGE, "topic", durable=True)
            channel.queue_declare(queue, durable=True, arguments=arguments)
            channel.queue_bind(queue, EXCHANGE, key)

    @contextmanager
    def channel(self) -> Iterator[Any]:
        connection = pika.BlockingConnection(pika.URLParameters(self._url))
        try:
            yield connection.channel()
        finally:
            connection.close()

    def ready(self) -> int:
        """Messages that wait for somebody."""
        with self.channel() as channel:
            return int(channel.queue_declare(self._queue, passive=True).method.message_count)

    def take(self) -> list[Got]:
        """All that is there; acknowledged."""
        with self.channel() as channel:
            found = iter(lambda: channel.basic_get(self._queue, auto_ack=True), (None, None, None))
            return [_got(method, properties, body) for method, properties, body in found]


def _got(method: Any, properties: pika.BasicProperties, body: bytes) -> Got:
    return Got(
        key=method.routing_key,
        id=properties.message_id,
        aggregate=(properties.headers or {}).get("aggregate", ""),
        number=msgspec.json.decode(body)["payload"].get("n", -1),
        body=body,
        properties=properties,
    )


class Publishing:
    """A store, and relays on it."""

    def __init__(self, store: Store, url: str) -> None:
        self.store = store
        self.book = Book(store, SINK)
        self.url = url
        self.numbers = itertools.count()
        self.relays: list[Relay] = []

    def relay(self, *, audit: bool = False, url: str = "", leader: Leader | None = None) -> Relay:
        """One that runs."""
        where = address(url or self.url)
        made = Relay(self.book, RabbitMqSink(where, EXCHANGE, audit=audit), where, leader=leader)
        self.relays.append(made)
        made.start()
        return made

    def emit(self, count: int, *, aggregates: int = 10, type_: str = "intent.set", text: str = "x") -> None:
        """So many events in one transaction, their payload's `n` counted on."""

        def unit(tx: Transaction) -> None:
            for number in numbers:
                payload = {"id": f"i{number}", "n": number, "text": text}
                tx.emit(Event(type=type_, aggregate=f"context:{number % aggregates}", payload=payload))

        numbers = [next(self.numbers) for _ in range(count)]
        self.store.write(unit, lock=[f"context:{number}" for number in range(aggregates)])

    def drained(self, deadline: float = 90.0) -> None:
        """Everything was confirmed, or set aside."""
        until(lambda: self.book.lag() == 0, what="the end of the backlog", deadline=deadline)

    def close(self) -> None:
        for each in self.relays:
            each.stop()
        self.store.close()


def in_order(got: Sequence[Got]) -> bool:
    """Whether each aggregate's events first came in the order in which they happened."""
    seen: set[str] = set()
    last: dict[str, int] = {}
    for each in got:
        if each.id in seen:
            continue
        seen.add(each.id)
        if each.number < last.get(each.aggregate, -1):
            return False
        last[each.aggregate] = each.number
    return True
