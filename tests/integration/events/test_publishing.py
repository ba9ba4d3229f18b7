"""A daemon with `events.url`, as a person sees it, and as who reads RabbitMQ and PostgreSQL does."""

from __future__ import annotations

import signal
import subprocess
from typing import Any

import msgspec
import pika
import pika.exceptions
import psycopg
import pytest

from tests.integration.commands import Cli
from tests.integration.daemons import Daemons, program
from tests.integration.events.publishing import EXCHANGE, Reader
from zdriver.testing import Home, until
from zdriver.testing.servers import RabbitMq

URL, AUDIT, ARCHIVE = "ZDRIVER_EVENTS_URL", "ZDRIVER_EVENTS_AUDIT", "ZDRIVER_ARCHIVE_URL"


def configure(home: Home, monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
        home.env[name] = value


@pytest.fixture
def configured(home: Home, monkeypatch: pytest.MonkeyPatch, amqp_url: str) -> Reader:
    configure(home, monkeypatch, **{URL: amqp_url})
    return Reader(amqp_url)


def consumers(url: str, queue: str) -> int:
    found = declared(url, queue)
    return found.consumer_count if found else 0


def length(url: str, queue: str) -> int:
    found = declared(url, queue)
    return found.message_count if found else 0


def declared(url: str, queue: str) -> Any:
    """What the broker says of a queue; None where there is none."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        return connection.channel().queue_declare(queue, passive=True).method
    except pika.exceptions.ChannelClosedByBroker:
        return None
    finally:
        if connection.is_open:
            connection.close()


def lags(cli: Cli, lag: int) -> bool:
    """Whether so much is still to go, by what the daemon says."""
    engines = {each["role"]: each for each in cli.data("daemon", "status")["engines"]}
    return bool(engines["events"]["lag"] == lag)


def with_one_aside(cli: Cli) -> str:
    """The daemon's status, once it says that one event is set aside."""
    said = cli("daemon", "status").stdout
    return said if "events that could not be published: 1\n" in said else ""


def test_what_is_said_arrives_outside(configured: Reader, cli: Cli) -> None:
    assert cli("intent", "Refactor database layer").returncode == 0
    assert cli("milestone", "tests pass").returncode == 0
    until(lambda: configured.ready() == 2, what="both messages")
    got = configured.take()
    assert [each.key for each in got] == ["intent.set", "milestone.recorded"]
    said = msgspec.json.decode(got[0].body)
    assert said["payload"]["text"] == "Refactor database layer"
    listed = cli.data("events", "list")
    assert [each["event"]["event_id"] for each in listed] == [each.id for each in got]


def test_without_the_broker_commands_go_on_and_the_rest_follows(
    home: Home, monkeypatch: pytest.MonkeyPatch, cli: Cli, daemons: Daemons, amqp_url: str
) -> None:
    configure(home, monkeypatch, **{URL: "amqp://127.0.0.1:1"})
    for number in range(5):
        assert cli("milestone", f"step {number}").returncode == 0
    until(lambda: lags(cli, 5), what="the lag")
    shown = cli("daemon", "status").stdout
    assert "events.url: nothing listens at 127.0.0.1:1" in shown
    pid = daemons.pid()
    daemons.kill(pid, signal.SIGKILL)  # the outbox survives that, too
    daemons.gone(pid)
    reader = Reader(amqp_url)
    configure(home, monkeypatch, **{URL: amqp_url})
    assert cli("milestone", "step 5").returncode == 0
    until(lambda: reader.ready() >= 6, what="the end of the backlog")
    assert [msgspec.json.decode(each.body)["payload"]["text"] for each in reader.take()] == [
        f"step {number}" for number in range(6)
    ]


def test_failed_and_retry(configured: Reader, cli: Cli, rabbitmq_server: RabbitMq) -> None:
    rabbitmq_server.call("application:set_env(rabbit, max_message_size, 1000)")
    try:
        assert cli("events", "failed").stderr.startswith("every event was published")
        assert cli("milestone", "x" * 1500).returncode == 0
        assert cli("milestone", "small").returncode == 0
        until(lambda: configured.ready() == 1, what="the second one")
        until(lambda: cli.data("events", "failed"), what="the refusal of the first")
        listed = cli.data("events", "failed")
        shown = cli("events", "failed").stdout
        # counted once the second one is settled, which is after it arrived
        stands = until(lambda: with_one_aside(cli), what="the word of it")
    finally:
        rabbitmq_server.call("application:set_env(rabbit, max_message_size, 134217728)")
    (failed,) = listed
    assert (failed["type"], failed["attempts"], failed["next_at"]) == ("milestone.recorded", 1, None)
    assert "larger than" in failed["error"]
    assert "set aside" in shown
    assert "`zdriver events failed` lists them" in stands
    assert [len(each.body) < 1000 for each in configured.take()] == [True]
    refused = cli("events", "retry", "99999")
    assert refused.returncode == 3
    assert "no refused event is called" in refused.stderr
    assert cli("events", "retry").returncode == 2
    assert cli("daemon", "stop").returncode == 0  # its connection has the old limit
    assert cli("events", "retry", failed["id"][:30]).stdout == "1 event will be tried again\n"
    until(lambda: configured.ready() == 1, what="the message")
    assert configured.take()[0].id == failed["id"]
    assert cli.data("events", "failed") == []
    assert cli.data("events", "retry", "--all") == {"retried": 0}


def test_the_daemon_writes_the_audit(
    home: Home, monkeypatch: pytest.MonkeyPatch, cli: Cli, amqp_url: str, database_url: str
) -> None:
    configure(home, monkeypatch, **{URL: amqp_url, AUDIT: "true", ARCHIVE: database_url})
    for number in range(5):
        assert cli("milestone", f"step {number}").returncode == 0

    def found() -> list[str]:
        with psycopg.connect(database_url) as connection:
            if connection.execute("SELECT to_regclass('audit')").fetchone() == (None,):
                return []
            found = connection.execute("SELECT event_id FROM audit ORDER BY received_at, ctid")
            return [row[0] for row in found]

    until(lambda: len(found()) == 5, what="the audit")
    assert found() == [each["event"]["event_id"] for each in cli.data("events", "list")]

    def well() -> bool:
        roles = {each["role"]: each["state"] for each in cli.data("daemon", "status")["engines"]}
        return {roles["events"], roles["audit"]} == {"ok"}

    until(well, what="the word of it")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_the_audit_by_hand_until_it_is_ended(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    cli: Cli,
    amqp_url: str,
    database_url: str,
    number: int,
    code: int,
) -> None:
    configure(home, monkeypatch, **{URL: amqp_url, ARCHIVE: database_url})
    command = [*program(), "events", "audit"]
    process = subprocess.Popen(command, env=home.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        queue = f"{EXCHANGE}.audit"
        until(lambda: consumers(amqp_url, queue) == 1, what="the consumer")
        for step in range(3):
            assert cli("milestone", f"step {step}").returncode == 0
        with psycopg.connect(database_url, autocommit=True) as connection:
            until(
                lambda: (
                    connection.execute("SELECT to_regclass('audit')").fetchone() != (None,)
                    and connection.execute("SELECT count(*) FROM audit").fetchone() == (3,)
                ),
                what="the rows",
                deadline=30,
            )
        process.send_signal(number)
        said, _ = process.communicate(timeout=30)
        assert said == b"3 events written\n"
        assert process.returncode == code
    finally:
        process.kill()
        process.wait()


def test_the_audit_by_hand(
    home: Home, monkeypatch: pytest.MonkeyPatch, cli: Cli, amqp_url: str, database_url: str
) -> None:
    nothing = cli("events", "audit", "--once")
    assert (nothing.returncode, nothing.stderr.splitlines()[0]) == (5, "error: events.url is not set")
    configure(home, monkeypatch, **{URL: amqp_url})
    nothing = cli("events", "audit", "--once")
    assert (nothing.returncode, nothing.stderr.splitlines()[0]) == (5, "error: archive.url is not set")
    configure(home, monkeypatch, **{ARCHIVE: database_url})
    assert cli.data("events", "audit", "--once") == {"written": 0, "known": 0, "dead": 0}
    reader = Reader(amqp_url)
    for number in range(3):
        assert cli("milestone", f"step {number}").returncode == 0
    until(lambda: reader.ready() == 3, what="the messages")
    with reader.channel() as channel:
        channel.basic_publish(EXCHANGE, "nonsense", b"nonsense")
    # what one queue has need not be in the other one yet
    until(lambda: length(amqp_url, f"{EXCHANGE}.audit") == 4, what="all of it for the audit")
    said = cli("events", "audit", "--once")
    assert said.stdout == "3 events written, 1 set aside as dead letters\n"
    assert cli("events", "audit", "--once").stdout == "0 events written\n"
