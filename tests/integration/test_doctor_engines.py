"""`zdriver doctor` and engines: each is asked, and what is wrong is one line naming setting and cause."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pika
import psycopg
import pytest

from tests.integration.commands import Cli
from zdriver.testing import Home, until
from zdriver.testing.servers import PostgreSql, RabbitMq, Redis

Checks = list[Mapping[str, Any]]
Doctor = Callable[..., Checks]


@pytest.fixture
def doctor(cli: Cli, home: Home, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """`doctor(storage_url="…")`: the checks of settings that begin like these; no secret is printed."""
    home.env["ZDRIVER_CONTEXT_TIMEOUT_MS"] = "5000"  # what is slow beside other tests is not the question

    def examined(**settings: str) -> Checks:
        for name, value in settings.items():
            monkeypatch.setitem(home.env, f"ZDRIVER_{name.upper()}", value)
        done = cli("doctor", "--json")
        for url in settings.values():
            if "://" in url and (password := urlsplit(url).password):
                assert password not in done.stdout + done.stderr
        assert done.stderr == ""
        sections = {name.partition("_")[0] for name in settings}
        answer = json.loads(done.stdout)
        assert answer["ok"], answer
        return [check for check in answer["data"]["checks"] if check["name"].partition(".")[0] in sections]

    return examined


def only(checks: Checks) -> tuple[str, str]:
    """(state, message) of the one check there is."""
    assert len(checks) == 1, checks
    assert "\n" not in checks[0]["message"]
    return checks[0]["state"], checks[0]["message"]


def test_engines_that_are_well(
    doctor: Doctor, database_url: str, redis_url: str, amqp_url: str, postgres_server: PostgreSql
) -> None:
    checks = doctor(archive_url=database_url, context_url=redis_url, events_url=amqp_url)
    said = {check["name"]: (check["state"], check["message"]) for check in checks}
    for name, words in (
        (
            "archive.url",
            r"PostgreSQL 1\d\.\d+ at postgresql://zdriver:\*\*\*@127\.0\.0\.1:\d+/\w+, \d+\.\d ms",
        ),
        ("context.url", r"Redis \d\.\S+ at redis://(:\*\*\*@)?127\.0\.0\.1:\d+\S*, \d+\.\d ms"),
        ("events.url", r"RabbitMQ 3\.\S+ at amqp://\S+:\*\*\*@127\.0\.0\.1:\d+/\S+, \d+\.\d ms"),
    ):
        assert said[name][0] == "ok"
        assert re.match(words, said[name][1]), said[name]


def test_looking_leaves_nothing_in_a_database(doctor: Doctor, database_url: str) -> None:
    doctor(storage_url=database_url, archive_url=database_url)
    with psycopg.connect(database_url) as connection:
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert connection.execute(tables).fetchone() == (0,)


@pytest.mark.parametrize("section", ["storage", "archive"])
def test_what_is_wrong_with_postgresql(
    doctor: Doctor, section: str, database_url: str, postgres_server: PostgreSql
) -> None:
    setting, name = f"{section}.url", f"{section}_url"
    database = urlsplit(database_url).path[1:]
    for url, says in (
        (postgres_server.url_of(database, password="geheim"), "password of user zdriver is wrong"),
        (postgres_server.url_of("nowhere"), "there is no database nowhere"),
        (postgres_server.url_of("postgres"), "zdriver may not create tables in the schema public"),
        (database_url + "?sslmode=require", "the server speaks no TLS"),
        ("postgresql://zdriver@127.0.0.1:1/x", "nothing answers there"),
    ):
        state, message = only(doctor(**{name: url}))
        assert state == "fail"
        assert message.startswith(setting)
        assert says in message


def test_a_table_that_may_not_be_written_is_named(
    doctor: Doctor, database_url: str, postgres_server: PostgreSql
) -> None:
    from zdriver.core.engines import Address
    from zdriver.storage.postgres.connection import connect
    from zdriver.storage.postgres.migrating import migrate

    with connect(Address(setting="archive.url", scheme="postgresql", url=database_url)) as connection:
        migrate(connection, "archive")
        connection.commit()
    assert only(doctor(archive_url=database_url))[0] == "ok"
    database = urlsplit(database_url).path[1:]
    for statement in ("ALTER TABLE audit OWNER TO postgres", "REVOKE ALL ON audit FROM PUBLIC"):
        postgres_server.sql(statement, database=database)
    assert only(doctor(archive_url=database_url)) == (
        "fail",
        "archive.url: zdriver may not read and write the table audit",
    )


def test_what_is_wrong_with_redis(doctor: Doctor, redis_server: Redis) -> None:
    at = urlsplit(redis_server.url)
    for url, says in (
        (f"redis://:geheim@127.0.0.1:{at.port}", "password"),
        (f"rediss://127.0.0.1:{at.port}", "no answer from rediss://"),
        ("redis://127.0.0.1:1", "127.0.0.1:1"),
        ("unix:///nowhere/redis.sock", "/nowhere/redis.sock"),
    ):
        state, message = only(doctor(context_url=url))
        assert (state, message.partition(" ")[0].rstrip(":")) == ("fail", "context.url"), message
        assert says in message


def test_what_is_wrong_with_rabbitmq(doctor: Doctor, amqp_url: str, rabbitmq_server: RabbitMq) -> None:
    at = urlsplit(amqp_url)
    for url, says in (
        (amqp_url.replace(f":{at.password}@", ":geheim@"), "with this password"),
        (rabbitmq_server.url_of("nowhere"), "no vhost nowhere"),
        (amqp_url.replace("amqp://", "amqps://"), "TLS"),
        ("amqp://127.0.0.1:1", "nothing listens at 127.0.0.1:1"),
    ):
        state, message = only(doctor(events_url=url))
        assert state == "fail"
        assert message.startswith("events.url: ")
        assert says in message


def test_an_exchange_that_is_declared_differently(doctor: Doctor, amqp_url: str) -> None:
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        connection.channel().exchange_declare("mine", "fanout", durable=True)
    state, message = only(doctor(events_url=amqp_url, events_exchange="mine"))
    assert state == "fail"
    assert message.startswith("events.url: it is declared differently on the broker")


def test_the_secrets_file_that_others_can_read_is_warned_of(
    doctor: Doctor, home: Home, redis_server: Redis, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    at = urlsplit(redis_server.url)
    file.write_text(f"{at.password or ''}\n")
    file.chmod(0o644)
    checks = doctor(context_url=f"redis://127.0.0.1:{at.port}", context_password_file=str(file))
    assert checks[0]["message"] == f"others can read {file}"
    assert checks[0]["hint"] == f"chmod 600 {file}"


def test_a_daemon_with_other_settings_is_told(cli: Cli, doctor: Doctor, redis_url: str) -> None:
    assert cli("daemon", "start").returncode == 0
    checks = doctor(context_url=redis_url)
    assert [check["state"] for check in checks] == ["ok", "warn"]
    assert checks[1]["message"] == "the daemon was started without it"


def test_what_waits_for_an_engine_is_counted(home: Home, cli: Cli, doctor: Doctor) -> None:
    home.env["ZDRIVER_EVENTS_URL"] = "amqp://127.0.0.1:1"
    assert cli("intent", "one").returncode == 0
    assert cli("milestone", "two").returncode == 0
    found: list[str] = []

    def counted() -> bool:
        found[:] = [check["message"] for check in doctor(events_url="amqp://127.0.0.1:1")]
        return "events, says the daemon: down, 2 events to go: events.url: nothing listens" in "".join(found)

    until(counted, what="both events", deadline=60, shows=lambda: str(found))
