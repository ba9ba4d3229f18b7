"""How engines are, and in which words it is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import click
import pytest

from tests.unit.test_engines import configuration
from zdriver.cli.enginewords import engine_rows
from zdriver.core.engines import EngineHealth, Role
from zdriver.daemon.engines import Engines, asked, warning

NOW = datetime(2100, 1, 2, 3, 4, 5, tzinfo=UTC)


def health(
    engine: str, role: Role, state: Literal["ok", "down", "slow"], setting: str = "", **more: Any
) -> EngineHealth:
    return EngineHealth(
        engine=engine, role=role, setting=setting or f"{role}.url", address="x://", state=state, **more
    )


def test_the_status_line_names_the_worst_first_and_says_nothing_of_what_is_well() -> None:
    well = health("postgresql", "storage", "ok")
    slow = health("redis", "context", "slow")
    down = health("postgresql", "archive", "down")
    assert warning([], NOW) == warning([well], NOW) == ""
    assert warning([well, slow, down], NOW) == "PostgreSQL (archive) down, Redis slow"
    assert warning([health("shelf", "events", "down")], NOW) == "shelf down"


@pytest.mark.parametrize(
    ("seconds", "says"), [(0.0, ""), (1.9, ""), (2.0, "Redis down"), (-5.0, "Redis down")]
)
def test_what_has_just_begun_is_no_warning_yet(seconds: float, says: str) -> None:
    since = NOW - timedelta(seconds=seconds)
    assert warning([health("redis", "context", "down", since=since)], NOW) == says


def test_a_server_that_has_several_roles_is_named_once() -> None:
    def broker(role: Role, state: Literal["ok", "down", "slow"]) -> EngineHealth:
        return health("rabbitmq", role, state, setting="events.url")

    assert (
        warning([broker("tasks", "down"), broker("events", "down"), broker("audit", "down")], NOW)
        == "RabbitMQ down"
    )
    assert warning([broker("events", "ok"), broker("audit", "down")], NOW) == "RabbitMQ (audit) down"
    assert warning([broker("events", "slow"), broker("audit", "down")], NOW) == "RabbitMQ (audit) down"


def test_an_engine_that_cannot_be_begun_with_is_down_and_the_others_go_on() -> None:
    found = Engines(
        configuration(context_url="//:geheim@h", archive_url="postgresql://h/d", events_password_file="/x")
    )
    assert found.context is None
    assert found.events is None
    assert found.archive is not None
    down = asked(found.healths)
    assert [(each.setting, each.role, each.state) for each in down] == [
        ("context.url", "context", "down"),
        ("events.url", "events", "down"),
    ]
    assert "it does not begin with scheme://" in down[0].message
    assert down[1].message == "events.password_file is set, and events.url is not"
    assert found.optional("archive.url", "archive", lambda: 1 // 0) is None
    assert asked(found.healths)[2].message == "archive.url: ZeroDivisionError"
    assert warning(asked(found.healths), NOW) == "Redis down, PostgreSQL (archive) down, RabbitMQ down"


def test_a_plugins_engine_that_cannot_be_begun_with_goes_by_its_scheme() -> None:
    found = Engines(configuration(events_url="kafka://h", context_url="redis://h"))
    assert found.optional("events.url", "events", lambda: 1 // 0) is None
    assert found.optional("context.url", "context", lambda: 1 // 0) is None
    assert [each.engine for each in asked(found.healths)] == ["kafka", "redis"]
    assert warning(asked(found.healths), NOW) == "Redis down, kafka down"


def test_one_that_cannot_say_how_it_is_hides_no_other() -> None:
    def broken() -> EngineHealth:
        raise RuntimeError

    well = health("redis", "context", "ok")
    assert asked([broken, lambda: well]) == (well,)


def test_the_words_of_daemon_status() -> None:
    rows = engine_rows(
        [
            health("redis", "context", "ok", version="7.0.15", latency_ms=0.31, lag=0, skew_ms=0.2),
            health("rabbitmq", "events", "down", message="connection refused", hint="start it", lag=1),
            health("postgresql", "archive", "slow", latency_ms=250.0, lag=1200, skew_ms=-3_600_000.0),
        ]
    )
    assert [tuple(map(click.unstyle, row)) for row in rows] == [
        ("context", "Redis 7.0.15 ok, x://, 0.3 ms"),
        ("events", "RabbitMQ down, x://, 1 event to go"),
        ("", "connection refused"),
        ("", "→ start it"),
        ("archive", "PostgreSQL slow, x://, 250.0 ms, its clock -3600000 ms, 1,200 rows to go"),
    ]
