"""Several daemons on one PostgreSQL: one of them publishes, whoever committed it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from tests.integration.events.publishing import SINK, Publishing, Reader, in_order
from zdriver.core.engines import Address
from zdriver.core.errors import Unavailable
from zdriver.storage.postgres import leading
from zdriver.storage.postgres.leading import Leadership
from zdriver.storage.postgres.store import PostgresStore
from zdriver.testing import until
from zdriver.testing.servers import PostgreSql, scratch

WAITS = "another daemon on this store publishes"


@pytest.fixture
def storage(database_url: str) -> Address:
    return Address(setting="storage.url", scheme="postgresql", url=database_url)


@pytest.fixture
def machines(storage: Address, amqp_url: str) -> Iterator[list[Publishing]]:
    """Three, each with a store of its own on the same database; their numbers are counted together."""
    with ExitStack() as stack:
        made = [Publishing(PostgresStore(storage, sinks=(SINK,)), amqp_url) for _ in range(3)]
        for each in made:
            stack.callback(each.close)
            each.numbers = made[0].numbers
        yield made


def lead(machines: list[Publishing], storage: Address) -> None:
    for each in machines:
        each.relay(leader=Leadership(storage, "relay"))


def leaders(machines: list[Publishing]) -> list[int]:
    healths = [each.relays[0].health() for each in machines]
    return [place for place, health in enumerate(healths) if health.state == "ok" and not health.message]


def end_sessions(url: str, name: str) -> int:
    """End every session that holds an advisory lock, as a lost machine's is; how many there were."""
    with psycopg.connect(url, autocommit=True, application_name=name) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return len(ended.fetchall())


def test_one_publishes_what_all_commit_and_another_takes_over(
    machines: list[Publishing], storage: Address, amqp_url: str
) -> None:
    reader = Reader(amqp_url)
    lead(machines, storage)
    until(lambda: len(leaders(machines)) == 1, what="a leader")
    # Numbers are given before the commit: here their order says nothing.
    threads = [
        threading.Thread(target=lambda each=each: [each.emit(3, aggregates=1) for _ in range(20)])
        for each in machines
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    machines[0].drained()
    got = reader.take()
    assert sorted(each.number for each in got) == list(range(180))
    first = leaders(machines)
    assert len(first) == 1
    waiting = [each for place, each in enumerate(machines) if place not in first]
    until(lambda: all(each.relays[0].health().message == WAITS for each in waiting), what="the others' word")
    machines[first[0]].relays[0].stop()
    waiting[0].emit(30)
    machines[0].drained()
    assert len(leaders(waiting)) == 1
    assert len(reader.take()) == 30


def test_a_leader_whose_session_ends_is_none_any_more(
    machines: list[Publishing], storage: Address, amqp_url: str
) -> None:
    reader = Reader(amqp_url)
    lead(machines, storage)
    for _ in range(5):
        machines[0].emit(20)
        until(lambda: end_sessions(storage.url, "test") > 0, what="a session to end")
    machines[0].drained(deadline=180)
    got = reader.take()
    assert {each.number for each in got} == set(range(100))
    assert in_order(got)
    until(lambda: len(leaders(machines)) == 1, what="one leader")


def test_one_leads(storage: Address, database_url: str) -> None:
    one, other = Leadership(storage, "thing"), Leadership(storage, "thing")
    assert one.lead()
    assert one.lead()
    assert not other.lead()
    beside = Leadership(storage, "another thing")
    assert beside.lead()
    beside.release()
    one.release()
    until(other.lead, what="the server to hear of it")
    end_sessions(database_url, "test")
    with pytest.raises(
        Unavailable, match=r"^storage\.url: the connection that holds the lock thing was lost"
    ):
        other.lead()
    until(one.lead, what="the server to hear of it")
    one.release()
    other.release()


def test_a_server_that_hangs_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the relay's thread would stand there, and the daemon could not end."""
    with scratch("pg") as folder, PostgreSql(folder) as server:
        where = Address(setting="storage.url", scheme="postgresql", url=server.database("leading"))
        leads = Leadership(where, "thing")
        assert leads.lead()
        server.suspend()
        with monkeypatch.context() as impatient:
            impatient.setattr(leading, "PATIENCE", 1.0)
            with pytest.raises(Unavailable, match=r"^storage\.url: "):
                leads.lead()
        server.resume()
        until(leads.lead, what="the server to hear of it")
        leads.release()
