"""Tasks that other programs assign over RabbitMQ, sent and looked at by plain pika."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pika
import pytest

from tests.contract.units import whole_log
from tests.integration.commands import Cli
from tests.integration.events.publishing import EXCHANGE, address
from zdriver.core.engines import Address
from zdriver.core.ids import new_id
from zdriver.storage.port import Store
from zdriver.storage.postgres.store import PostgresStore
from zdriver.storage.sqlite import SqliteStore
from zdriver.tasks import rules
from zdriver.tasks.listening import Listener
from zdriver.tasks.service import TasksService
from zdriver.testing import Home, until
from zdriver.testing.servers import PostgreSql, RabbitMq, scratch

QUEUE = f"{EXCHANGE}.tasks.s1"
Listen = Callable[[Store], Listener]


def body(title: str, *, app: str = "planner", id: str = "", **payload: Any) -> bytes:
    envelope: dict[str, Any] = {
        "event_id": id or new_id(), "event_type": "task.assigned", "timestamp": "2026-01-01T00:00:00Z",
        "version": "1.0.0", "source": {"host": "desk", "type": "agent", "app": app, "meta": {}},
        "correlation_ids": [], "agent_context": None, "payload": {"title": title, **payload},
    }  # fmt: skip
    return json.dumps(envelope).encode()


def send(url: str, *bodies: bytes) -> None:
    """As any program would: confirmed, and refused when no queue takes it."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    for each in bodies:
        properties = pika.BasicProperties(delivery_mode=2)
        channel.basic_publish(EXCHANGE, "task.assigned", each, properties, mandatory=True)
    connection.close()


def lengths(url: str) -> tuple[int, int]:
    """Messages that wait: in the queue, and among its dead letters."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        channel = connection.channel()
        found = (channel.queue_declare(name, passive=True) for name in (QUEUE, f"{QUEUE}.dead"))
        first, second = (each.method.message_count for each in found)
        return first, second
    finally:
        connection.close()


def titles(store: Store) -> list[str]:
    return [each.title for each in reversed(TasksService(store).list(limit=1000))]


@pytest.fixture
def listen(amqp_url: str) -> Iterator[Listen]:
    """Starts one on a store, and waits until its queue is there; all end with the test."""
    with ExitStack() as ending:

        def started(store: Store) -> Listener:
            made = Listener(address(amqp_url), TasksService(store), exchange=EXCHANGE, store="s1")
            made.start()
            ending.callback(made.stop)
            until(lambda: made.health().state == "ok", what="the queue")
            return made

        yield started


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "zdriver.db", sinks=("rabbitmq",)) as opened:
        yield opened


def test_each_becomes_a_task_once(listen: Listen, store: SqliteStore, amqp_url: str) -> None:
    listen(store)
    twice = body("mend the login", agent="claude-1")
    send(amqp_url, twice, twice, body("write the docs"), body("ours", app="zdriver"), twice)
    until(lambda: len(titles(store)) == 2 and lengths(amqp_url) == (0, 0), what="two tasks")
    assert titles(store) == ["mend the login", "write the docs"]


def test_what_is_no_task_goes_to_the_dead_letters_and_the_rest_goes_on(
    listen: Listen, store: SqliteStore, amqp_url: str
) -> None:
    listen(store)
    wrong = (b"\xff\x00", b"[]", body(""), body("x", repo=7), b"[" * 100_000, body("x", text="y" * 200_000))
    send(amqp_url, wrong[0], body("one"), *wrong[1:], body("two"))
    until(lambda: titles(store) == ["one", "two"], what="both tasks", shows=lambda: str(titles(store)))
    until(lambda: lengths(amqp_url) == (0, len(wrong)), what="the rest", shows=lambda: str(lengths(amqp_url)))


def test_what_the_store_cannot_keep_holds_up_nothing(
    listen: Listen, amqp_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL has no NUL in texts. What is not known to be taken out goes to the dead letters."""
    with PostgresStore(Address(setting="storage.url", scheme="postgresql", url=database_url)) as store:
        listener = listen(store)
        send(amqp_url, body("one", app="pl\0anner"), body("two"))
        until(lambda: titles(store) == ["one", "two"], what="both", shows=lambda: str(titles(store)))
        monkeypatch.setattr(rules, "redacted", lambda value: value)
        send(amqp_url, body("three", text="a\0b"), body("four"))
        until(lambda: titles(store) == ["one", "two", "four"], what="the rest")
        until(lambda: lengths(amqp_url) == (0, 1), what="the dead letter")
        assert listener.health().state == "ok"
        listener.stop()


def test_sent_while_nobody_listened(listen: Listen, store: SqliteStore, amqp_url: str) -> None:
    listen(store).stop()
    send(amqp_url, *(body(f"{number}") for number in range(20)))
    # some may have been on their way to the one that ended
    until(lambda: lengths(amqp_url) == (20, 0), what="all of them in the queue")
    listen(store)
    until(lambda: len(titles(store)) == 20, what="all tasks")
    assert titles(store) == [f"{number}" for number in range(20)]


def test_two_daemons_on_one_store_share_the_queue(listen: Listen, amqp_url: str, database_url: str) -> None:
    where = Address(setting="storage.url", scheme="postgresql", url=database_url)
    one, other = PostgresStore(where), PostgresStore(where)
    try:
        listeners = [listen(each) for each in (one, other)]
        sent = [body(f"{number}") for number in range(150)]
        send(amqp_url, *sent, *sent)
        until(lambda: lengths(amqp_url) == (0, 0) and len(titles(one)) == 150, what="all tasks")
        for each in listeners:
            each.stop()
        assert sorted(map(int, titles(other))) == list(range(150))
        assert Counter(row["type"] for row in whole_log(one)) == {"task.created": 150}
    finally:
        one.close()
        other.close()


def test_while_the_database_is_away_they_wait_in_the_queue(listen: Listen, amqp_url: str) -> None:
    with scratch("pg") as folder, PostgreSql(folder) as server:
        where = Address(setting="storage.url", scheme="postgresql", url=server.database("tasks"))
        with PostgresStore(where) as store:
            listener = listen(store)
            server.kill()
            send(amqp_url, *(body(f"{number}") for number in range(10)))
            until(lambda: listener.health().state == "down", what="that it cannot")
            assert "storage.url" in listener.health().message
            server.start()
            until(lambda: listener.health().state == "ok", what="that it can again", deadline=180)
            until(lambda: len(titles(store)) == 10, what="all tasks")
            listener.stop()
            assert titles(store) == [f"{number}" for number in range(10)]
            until(lambda: lengths(amqp_url) == (0, 0), what="an empty queue")


def test_the_broker_is_killed_and_comes_back(store: SqliteStore) -> None:
    with scratch("mq") as folder, RabbitMq(folder) as server:
        listener = Listener(address(server.url), TasksService(store), exchange=EXCHANGE, store="s1")
        listener.start()
        try:
            until(lambda: listener.health().state == "ok", what="the queue")
            # RabbitMQ 3.10 keeps in memory for minutes which quorum queues it has: once it was stopped
            # in good order it knows.
            server.stop()
            server.start()
            until(lambda: listener.health().state == "ok", what="the queue after a restart", deadline=180)
            server.kill()
            until(lambda: listener.health().state == "down", what="that it is gone", deadline=180)
            server.start()
            until(lambda: listener.health().state == "ok", what="the queue again", deadline=180)
            send(server.url, body("after all"))
            until(lambda: titles(store) == ["after all"], what="the task")
        finally:
            listener.stop()


def test_from_a_stranger_to_the_command_line(home: Home, cli: Cli, amqp_url: str) -> None:
    home.env["ZDRIVER_EVENTS_URL"] = amqp_url
    assert cli.data("task", "list") == []

    def listening() -> bool:
        engines = cli.data("daemon", "status")["engines"]
        return any(each["role"] == "tasks" and each["state"] == "ok" for each in engines)

    until(listening, what="the daemon to listen")
    send(amqp_url, body("mend\x1b[31m it", text="first this\nthen that", repo="git@x:a/b", weight=3))
    until(lambda: cli.data("task", "list", "--state", "queued"), what="the task")
    (task,) = cli.data("task", "list")
    assert (task["state"], task["origin"], task["payload"]["weight"]) == ("queued", "planner@desk", 3)
    listed = cli("task", "list").stdout
    assert "mend\\x1b[31m it" in listed
    shown = cli("task", "show", task["id"][-8:]).stdout
    for part in ("queued", "planner@desk", "git@x:a/b", "  first this\n  then that", "weight", "whoever"):
        assert part in shown
    assert cli.refused("task", "show", "nothing") == (3, "not_found")
