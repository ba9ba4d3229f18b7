"""Two machines on one PostgreSQL, with Redis: each writes its own contexts, and leaves the other's alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from tests.integration.hot.machines import Machine, fields, machine, remote, soon
from zdriver.core.engines import Address
from zdriver.storage.postgres.store import PostgresStore


@pytest.fixture
def both(tmp_path: Path, redis_url: str, database_url: str) -> Iterator[tuple[Machine, Machine]]:
    bare = remote(tmp_path)
    where = Address(setting="storage.url", scheme="postgresql", url=database_url)
    with (
        machine("desk", tmp_path / "desk", redis_url, bare, store=PostgresStore(where)) as desk,
        machine("laptop", tmp_path / "laptop", redis_url, bare, store=PostgresStore(where)) as laptop,
    ):
        yield desk, laptop


def test_each_writes_its_own(both: tuple[Machine, Machine], redis_url: str) -> None:
    desk, laptop = both
    with redis.Redis.from_url(redis_url, decode_responses=True) as plain:
        mine = desk.set_intent("at the desk", "work").context.id
        yours = laptop.set_intent("on the way", "mobile").context.id
        desk.milestone("one", "work")
        desk.caught_up()
        laptop.caught_up()
        assert (fields(plain, mine)["host"], fields(plain, yours)["host"]) == ("desk", "laptop")
        assert fields(plain, mine)["milestones"][0]["text"] == "one"
        plain.flushall()
        soon(lambda: plain.exists(f"session:{mine}", f"session:{yours}") == 2, "both are back")
        desk.contexts.forget((mine,))
        soon(lambda: not plain.exists(f"session:{mine}"), "it is gone")
        laptop.caught_up()
        assert fields(plain, yours)["host"] == "laptop"


def test_what_cannot_be_read_yet_is_not_there_yet(
    both: tuple[Machine, Machine], redis_url: str, database_url: str
) -> None:
    """An older transaction holds up what others committed: until then the hot copy is not up to date."""
    desk, _ = both
    desk.caught_up()
    with psycopg.connect(database_url) as older, redis.Redis.from_url(redis_url) as plain:
        older.execute("SELECT pg_current_xact_id()")
        made = desk.set_intent("behind it", "work")
        assert not desk.following.caught_up()
        older.commit()
        desk.caught_up()
        assert plain.exists(f"intent:{made.context.id}")


def test_what_was_left_goes_on_beside_it(both: tuple[Machine, Machine]) -> None:
    """Both histories lie in one store: the other machine's entries stay its own."""
    desk, laptop = both
    desk.set_intent("Refactor", "work")
    desk.milestone("one", "work")
    desk.caught_up()
    assert laptop.intent("mobile") == "Refactor"
    laptop.milestone("two", "mobile")
    assert laptop.milestones("mobile") == ["two", "one"]
    assert desk.milestones("work") == ["one"]
    laptop.caught_up()
    desk.taking.carry_on(desk.root, into="again")
    assert desk.milestones("again") == ["two", "one"]
    assert desk.intent("again") == "Refactor"
