"""The figures of publishing: how fast a backlog goes out, and what commands feel of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median

import pika
from pika import spec
from pika.channel import Channel
from pika.frame import Method

from tests.bench.measure import percentile, timed
from tests.bench.report import Figure, misses
from tests.bench.world import World
from zdriver.core.engines import Address
from zdriver.events.relay.book import Book
from zdriver.events.relay.component import Relay
from zdriver.events.relay.publisher import WINDOW, RabbitMqSink
from zdriver.storage.port import Event, Transaction
from zdriver.storage.sqlite import SqliteStore
from zdriver.testing import until
from zdriver.testing.servers import RabbitMq, scratch

EXCHANGE = "bloodbank.events.v1"
BACKLOG = 5_000
AGGREGATES = 200
ROUNDS = 5
SAVES = 300


def relay(world: World) -> Iterator[Figure]:
    with scratch("mq") as folder, RabbitMq(folder) as broker:
        _queue(broker.url)
        with SqliteStore(world.home.path / "relay.db", sinks=("rabbitmq",)) as store:
            yield _backlog(store, broker.url)
            yield _beside(store, broker.url)


def _backlog(store: SqliteStore, url: str) -> Figure:
    ours, bare = [], []
    for number in range(ROUNDS + 1):
        _emit(store, BACKLOG)
        bare.append(BACKLOG / timed(_Bare(url, _bodies(store)).run))
        ours.append(BACKLOG / timed(lambda: _drained(store, url)))
        if not number:  # warm
            ours.clear()
            bare.clear()
    rate, limit = median(ours), median(bare)
    return Figure(
        what=f"relay of {BACKLOG:,} events, the store included",
        unit="/s",
        ours=rate,
        limit=limit,
        against=f"bare pika, {WINDOW} unconfirmed at most",
        target=">= 0.7x",
        misses=misses(ratio=rate >= 0.7 * limit),
    )


def _beside(store: SqliteStore, url: str) -> Figure:
    """Durable writes while a backlog goes out, against the same while nothing does."""
    alone = _saves(store)
    _emit(store, 2 * BACKLOG)
    with _relaying(store, url):
        beside = _saves(store)
    ours, limit, tail = (1000 * each for each in (median(beside), median(alone), percentile(beside, 99)))
    return Figure(
        what="a durable write while events are relayed",
        unit="ms",
        ours=ours,
        tail=tail,
        limit=limit,
        against="the same while nothing is relayed",
        target="p99 <= 25",
        misses=misses(p99=tail <= 25),
    )


# ---- ours --------------------------------------------------------------------------------


def _emit(store: SqliteStore, count: int, *, at_once: int = 500) -> None:
    def unit(tx: Transaction) -> None:
        for number in range(at_once):
            payload = {"id": "x", "text": "Refactor database layer", "context": {"root": "/home/ann/project"}}
            tx.emit(Event(type="intent.set", aggregate=f"context:{number % AGGREGATES}", payload=payload))

    for _ in range(count // at_once):
        store.write(unit)


def _saves(store: SqliteStore) -> list[float]:
    return [timed(lambda: _emit(store, 1, at_once=1)) for _ in range(SAVES)]


@contextmanager
def _relaying(store: SqliteStore, url: str) -> Iterator[None]:
    where = Address(setting="events.url", scheme="amqp", url=url)
    made = Relay(Book(store, "rabbitmq"), RabbitMqSink(where, EXCHANGE, audit=False), where)
    made.start()
    try:
        yield
    finally:
        made.stop()


def _drained(store: SqliteStore, url: str) -> None:
    """From the connection to the last confirmation that the store knows of."""
    with _relaying(store, url):
        until(
            lambda: Book(store, "rabbitmq").lag() == 0,
            what="the end of the backlog",
            deadline=120,
            every=0.005,
        )


def _bodies(store: SqliteStore) -> list[bytes]:
    rows = Book(store, "rabbitmq").after(0, BACKLOG)
    return [row.envelope for row in rows]


# ---- the limit ---------------------------------------------------------------------------


def _queue(url: str) -> None:
    """Where it all goes: durable, as a reader's would be. It keeps the newest 1,000."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.exchange_declare(EXCHANGE, "topic", durable=True)
    channel.queue_declare("bench", durable=True, arguments={"x-max-length": 1000})
    channel.queue_bind("bench", EXCHANGE, "#")
    connection.close()


class _Bare:
    """Publishes what it is given with a window of confirmations, and nothing else."""

    def __init__(self, url: str, bodies: Sequence[bytes]) -> None:
        self._bodies = bodies
        self._next = self._confirmed = 0
        self._connection = pika.SelectConnection(pika.URLParameters(url), on_open_callback=self._on_open)

    def run(self) -> None:
        self._connection.ioloop.start()

    def _on_open(self, connection: pika.SelectConnection) -> None:
        connection.add_on_close_callback(lambda *_: connection.ioloop.stop())
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Channel) -> None:
        self._channel = channel
        channel.confirm_delivery(self._on_confirm, callback=lambda _frame: self._pump())

    def _pump(self) -> None:
        while self._next < len(self._bodies) and self._next - self._confirmed < WINDOW:
            properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
            self._channel.basic_publish(EXCHANGE, "intent.set", self._bodies[self._next], properties)
            self._next += 1

    def _on_confirm(self, frame: Method[spec.Basic.Ack | spec.Basic.Nack]) -> None:
        assert isinstance(frame.method, spec.Basic.Ack)
        tag = frame.method.delivery_tag
        self._confirmed = max(self._confirmed, tag) if frame.method.multiple else self._confirmed + 1
        if self._confirmed == len(self._bodies):
            self._connection.close()
        else:
            self._pump()
