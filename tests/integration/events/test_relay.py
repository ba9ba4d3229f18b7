"""From the log to RabbitMQ, as a reader with plain pika sees it."""

from __future__ import annotations

import pytest

from tests.integration.events.publishing import EXCHANGE, Publishing, Reader, in_order
from zdriver.events.relay import failures
from zdriver.storage.port import Event
from zdriver.testing import until
from zdriver.testing.servers import RabbitMq


def test_every_event_arrives_as_it_was_committed(publishing: Publishing, reader: Reader) -> None:
    publishing.emit(20)
    relay = publishing.relay()
    publishing.emit(5, type_="worktree.created")
    publishing.drained()
    got = reader.take()
    logged = publishing.store.read(lambda tx: tx.all("event.after", sequence=0, limit=100))
    assert {each.id: each.body for each in got} == {row["id"]: row["envelope"] for row in logged}
    assert len(got) == 25
    assert [each.key for each in got].count("worktree.created") == 5
    about = got[0].properties
    assert (about.delivery_mode, about.content_type) == (2, "application/json")
    assert about.headers["aggregate"] == "context:0"
    assert about.headers["aggregate_seq"] == 1
    health = relay.health()
    assert (health.state, health.role, health.engine, health.version[:2]) == (
        "ok",
        "events",
        "rabbitmq",
        "3.",
    )
    assert health.address.endswith("@127.0.0.1:" + publishing.url.split(":")[-1])
    assert health.latency_ms is not None


@pytest.mark.parametrize("aggregates", [1, 7, 400])
def test_the_order_of_each_aggregate_is_kept(publishing: Publishing, reader: Reader, aggregates: int) -> None:
    publishing.emit(700, aggregates=aggregates)
    publishing.relay()
    for _ in range(10):
        publishing.emit(30, aggregates=aggregates)
    publishing.drained()
    got = reader.take()
    assert len(got) == len({each.id for each in got}) == 1000
    assert in_order(got)


def test_a_queue_bound_to_some_types_gets_those(publishing: Publishing, amqp_url: str) -> None:
    some = Reader(amqp_url, key="worktree.*", queue="some")
    publishing.relay()
    publishing.emit(3)
    publishing.emit(2, type_="worktree.created")
    publishing.drained()
    assert [each.key for each in some.take()] == ["worktree.created"] * 2


def test_what_one_aggregate_is_refused_holds_back_that_one_only(
    publishing: Publishing, amqp_url: str, reader: Reader
) -> None:
    full = Reader(
        amqp_url, key="claim.*", queue="full", **{"x-max-length": 1, "x-overflow": "reject-publish"}
    )
    publishing.relay()
    publishing.emit(1, aggregates=1, type_="claim.taken")  # 0: fills the queue
    publishing.drained()
    publishing.emit(1, aggregates=1, type_="claim.ended")  # 1: refused
    until(lambda: failures.failed(publishing.store), what="a refusal")
    publishing.emit(1, aggregates=1)  # 2: of the same aggregate, waits
    publishing.store.write(
        lambda tx: tx.emit(Event(type="intent.set", aggregate="other", payload={"id": "o", "n": 99}))
    )
    before: list[int] = []

    def said() -> list[int]:  # 1 is there as well, each time it is refused
        before.extend(each.number for each in reader.take() if each.number != 1)
        return before if 99 in before else []

    assert until(said, what="what others said") == [0, 99]
    (failed,) = failures.failed(publishing.store)
    assert failed.error == "the broker refused it (nack)"
    assert failed.next_at is not None
    full.take()
    publishing.drained()
    assert list(dict.fromkeys(each.number for each in reader.take())) == [1, 2]
    assert failures.failed(publishing.store) == ()


def test_an_event_that_is_too_large_is_set_aside_and_the_rest_goes_on(
    publishing: Publishing, reader: Reader, rabbitmq_server: RabbitMq
) -> None:
    usual = rabbitmq_server.call("{ok, N} = application:get_env(rabbit, max_message_size), N")
    rabbitmq_server.call("application:set_env(rabbit, max_message_size, 5000)")
    try:
        publishing.emit(30, aggregates=10)
        publishing.emit(1, aggregates=10, text="x" * 6000)  # 30, of context:0
        publishing.emit(69, aggregates=10)
        relay = publishing.relay()
        publishing.drained()
        got = reader.take()
        assert in_order(got)
        assert {each.number for each in got} == set(range(100)) - {30}
        (failed,) = failures.failed(publishing.store)
        assert failed.next_at is None
        assert "larger than" in failed.error
        assert relay.health().state == "ok"
    finally:
        rabbitmq_server.call(f"application:set_env(rabbit, max_message_size, {usual})")
    publishing.relays.pop().stop()
    relay = publishing.relay()
    assert failures.retry(publishing.store, [str(failed.cursor)]) == 1
    relay.again()
    publishing.drained()
    assert [each.number for each in reader.take()] == [30]
    assert failures.failed(publishing.store) == ()


def test_an_exchange_that_is_deleted_is_made_again(publishing: Publishing, reader: Reader) -> None:
    publishing.relay()
    publishing.emit(3)
    publishing.drained()
    with reader.channel() as channel:
        channel.exchange_delete(EXCHANGE)
    publishing.emit(3)
    publishing.drained()
    with reader.channel() as channel:
        channel.exchange_declare(EXCHANGE, passive=True)
    assert failures.failed(publishing.store) == ()


def test_with_audit_an_event_counts_only_when_a_queue_has_it(publishing: Publishing, amqp_url: str) -> None:
    publishing.relay(audit=True)
    publishing.emit(3)
    publishing.drained()
    audit = Reader(amqp_url, queue="other")
    with audit.channel() as channel:
        channel.queue_unbind("other", EXCHANGE, "#")
        channel.queue_unbind(f"{EXCHANGE}.audit", EXCHANGE, "#")
    publishing.emit(5)  # goes nowhere now: returned, and published again when the queue is bound
    publishing.drained()
    with audit.channel() as channel:
        found = channel.queue_declare(f"{EXCHANGE}.audit", passive=True)
        assert found.method.message_count == 8
