"""From RabbitMQ into PostgreSQL, counted by plain psycopg and plain pika."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pika
import psycopg
import pytest
from psycopg.rows import dict_row

from tests.integration.events.publishing import EXCHANGE, Publishing, Reader, address
from zdriver.core.engines import Address
from zdriver.core.errors import Unavailable
from zdriver.events.audit import writer as writer_module
from zdriver.events.audit.component import Audit
from zdriver.events.consuming import PREFETCH
from zdriver.testing import until
from zdriver.testing.servers import PostgreSql, Proxy, scratch

QUEUE, DEAD = f"{EXCHANGE}.audit", f"{EXCHANGE}.audit.dead"


def database(url: str) -> Address:
    return Address(setting="archive.url", scheme="postgresql", url=url)


def rows(url: str) -> list[dict[str, Any]]:
    """The audit in the order in which it was written, by plain psycopg."""
    with psycopg.connect(url, row_factory=dict_row) as connection:
        known = connection.execute("SELECT to_regclass('audit') IS NOT NULL AS known").fetchone()
        if not known or not known["known"]:
            return []
        return connection.execute("SELECT * FROM audit ORDER BY received_at, ctid").fetchall()


def publish(url: str, body: bytes, key: str = "intent.set", **headers: Any) -> None:
    """What anybody may put onto the exchange."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    properties = pika.BasicProperties(delivery_mode=2, headers=headers)
    channel.basic_publish(EXCHANGE, key, body, properties, mandatory=True)
    connection.close()


def length(url: str, queue: str) -> int:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        found = connection.channel().queue_declare(queue, passive=True)
        return int(found.method.message_count)
    finally:
        connection.close()


@pytest.fixture
def audit(amqp_url: str, database_url: str) -> Iterator[Audit]:
    made = Audit(address(amqp_url), database(database_url), EXCHANGE)
    yield made
    made.writer.close()


def test_every_event_is_written_once_and_in_order(
    publishing: Publishing, audit: Audit, database_url: str
) -> None:
    publishing.relay(audit=True)
    publishing.emit(500, aggregates=20)
    publishing.drained()
    audit.run(once=True, tell=print)
    logged = publishing.store.read(lambda tx: tx.all("event.after", sequence=0, limit=1000))
    found = rows(database_url)
    assert len(found) == audit.writer.written == 500
    by_id = {row["event_id"]: row for row in found}
    for event in logged:
        row = by_id[event["id"]]
        assert (row["type"], row["aggregate"], row["aggregate_seq"]) == (
            event["type"],
            event["aggregate"],
            event["aggregate_seq"],
        )
        assert row["envelope"] == msgspec.json.decode(event["envelope"])
        assert int(row["at"].timestamp() * 1_000_000) == event["at"]
    for aggregate in {row["aggregate"] for row in found}:
        numbers = [row["aggregate_seq"] for row in found if row["aggregate"] == aggregate]
        assert numbers == list(range(1, 26))


def test_once_waits_for_what_is_on_its_way(publishing: Publishing, amqp_url: str, database_url: str) -> None:
    """More than the broker gives in advance, over a slow line: the queue is empty before all is here."""
    publishing.relay(audit=True)
    publishing.emit(PREFETCH + 150, aggregates=50)
    publishing.drained()
    with Proxy(amqp_url) as line:
        line.latency(250)
        audit = Audit(address(line.url), database(database_url), EXCHANGE)
        audit.run(once=True, tell=print)
    assert audit.writer.written == PREFETCH + 150


def test_a_database_that_hangs_does_not_hold_up_the_end(
    publishing: Publishing, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes what it is sent, and never answers."""
    with scratch("pg") as folder, PostgreSql(folder) as server:
        url = server.database("audit")
        audit = Audit(address(amqp_url), database(url), EXCHANGE)
        audit.start()
        publishing.relay(audit=True)
        publishing.emit(3)
        until(lambda: len(rows(url)) == 3, what="the first rows")
        with monkeypatch.context() as impatient:
            impatient.setattr(writer_module, "PATIENCE", 1.0)
            server.suspend()
            publishing.emit(3)
            until(lambda: audit.health().state == "down", what="the loss to be noticed")
            ending = threading.Thread(target=audit.stop, daemon=True)
            ending.start()
            until(lambda: not ending.is_alive(), what="the end")
        server.resume()
        assert len(rows(url)) <= 6
        audit.run(once=True, tell=print)
        assert len(rows(url)) == 6


def test_what_arrives_twice_is_there_once(
    publishing: Publishing, amqp_url: str, audit: Audit, database_url: str
) -> None:
    reader = Reader(amqp_url)
    publishing.relay(audit=True)
    publishing.emit(20)
    publishing.drained()
    audit.run(once=True, tell=print)
    for each in reader.take():
        publish(amqp_url, each.body, each.key)
    audit.run(once=True, tell=print)
    assert (audit.writer.written, audit.writer.known) == (20, 20)
    assert len(rows(database_url)) == 20


def test_what_is_no_event_goes_to_the_dead_letters(
    publishing: Publishing, amqp_url: str, audit: Audit, database_url: str
) -> None:
    reader = Reader(amqp_url)
    publishing.relay(audit=True)
    publishing.emit(3)
    publishing.drained()
    good = reader.take()[0].body
    poison = [
        b"\xff\xfe",
        b"{}",
        b"not JSON",
        good.replace(b'"event_id":"', b'"event_id":"' + b"x" * 4000),
        good.replace(b'"timestamp":"', b'"timestamp":"the 30th of '),
        good.replace(b'"text":"x"', b'"text":"\xed\xa0\x80"'),
    ]
    for body in poison:
        publish(amqp_url, body)
    # of another program, and older than zdriver: kept
    foreign_body = good.replace(b'"event_id":"', b'"more":1,"event_id":"other-')
    publish(amqp_url, foreign_body, "flow.started", aggregate_seq=True, aggregate=["x"])
    audit.run(once=True, tell=print)
    assert (audit.writer.written, audit.writer.hopeless) == (4, len(poison))
    foreign = next(row for row in rows(database_url) if row["event_id"].startswith("other-"))
    assert (foreign["aggregate"], foreign["aggregate_seq"]) == ("", None)
    until(lambda: length(amqp_url, DEAD) == len(poison), what="the dead letters")
    assert length(amqp_url, QUEUE) == 0


def test_while_the_database_is_down_messages_are_held(publishing: Publishing, amqp_url: str) -> None:
    with scratch("pg") as folder, PostgreSql(folder) as server:
        url = server.database("audit")
        audit = Audit(address(amqp_url), database(url), EXCHANGE)
        audit.start()
        try:
            publishing.relay(audit=True)
            publishing.emit(30)
            until(lambda: audit.writer.written == 30, what="the word of the first rows")
            server.kill()
            publishing.emit(30)
            publishing.drained()
            until(lambda: audit.health().state == "down", what="the loss to be noticed")
            assert audit.health().message.startswith("archive.url: ")
            assert length(amqp_url, QUEUE) == 0  # held, not given back
            server.start()
            until(lambda: len(rows(url)) == 60, what="the rest", deadline=180)
            until(lambda: audit.health().state == "ok", what="that all is well")
        finally:
            audit.stop()
        audit.run(once=True, tell=print)
        assert audit.writer.known == 0  # nothing came a second time


def test_a_database_that_is_away_is_said_at_once_where_somebody_waits(
    publishing: Publishing, amqp_url: str
) -> None:
    publishing.relay(audit=True)
    publishing.emit(3)
    publishing.drained()
    audit = Audit(address(amqp_url), database("postgresql://nobody@127.0.0.1:1/none"), EXCHANGE)
    with pytest.raises(Unavailable, match=r"^archive\.url: "):
        audit.run(once=True, tell=print)
    until(lambda: length(amqp_url, QUEUE) == 3, what="the messages to be back")
