"""What is committed comes to be in Redis, whatever happens to Redis; and no command needs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import redis

from tests.integration.hot.machines import Machine, fields, machine, soon
from zdriver.core.errors import Unavailable, ZdriverError
from zdriver.storage.port import Reading
from zdriver.testing.servers import Proxy, Redis, scratch

MANY = 200


@pytest.fixture
def server() -> Iterator[Redis]:
    """One that may be killed; without a file, so that a kill loses all it had."""
    with scratch("redis-own") as folder, Redis(folder, aof=False) as made:
        yield made


@pytest.fixture
def plain(server: Redis) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        yield client


@pytest.fixture
def desk(server: Redis, tmp_path: Path) -> Iterator[Machine]:
    with machine("desk", tmp_path / "desk", server.url) as made:
        yield made


def slow(desk: Machine) -> str:
    """Why it is slow; "" where it is not."""
    health = desk.hot.health()
    return health.message if health.state == "slow" else ""


def shown(client: redis.Redis, id_: str, milestones: int) -> bool:
    try:
        return len(fields(client, id_).get("milestones", ())) == milestones
    except redis.RedisError:
        return False


def test_what_is_committed_is_there(desk: Machine, plain: redis.Redis) -> None:
    desk.panes("work", ("vim", "a.py"), ())
    intent = desk.set_intent("Refactor", "work")
    desk.milestone("one", "work", artifacts=("a.py",))
    desk.caught_up()
    found = fields(plain, intent.context.id)
    assert found["intent"] == "Refactor"
    assert [each["text"] for each in found["milestones"]] == ["one"]
    assert [each.get("command") for each in found["panes"]] == [["vim", "a.py"], None]
    assert (found["root"], found["host"]) == (desk.root, "desk")


def test_every_change_is_seen_there(desk: Machine, plain: redis.Redis) -> None:
    id_ = desk.set_intent("one", "work").context.id
    desk.caught_up()
    desk.milestone("reached", "work")
    desk.contexts.undo_milestone(place=desk.place("work"))
    desk.set_intent("two", "work")
    desk.panes("work", ("htop",))
    desk.caught_up()
    found = fields(plain, id_)
    assert (found["intent"], found["milestones"]) == ("two", [])
    assert [each["command"] for each in found["panes"]] == [["htop"]]
    desk.contexts.clear_intent(place=desk.place("work"))
    desk.caught_up()
    assert fields(plain, id_)["intent"] == ""
    assert not plain.exists(f"intent:{id_}")


def test_what_is_forgotten_is_gone_there(desk: Machine, plain: redis.Redis) -> None:
    intent, other = desk.set_intent("private", "work"), desk.set_intent("other", "else")
    milestone = desk.milestone("also private", "else")
    desk.caught_up()
    desk.contexts.forget((intent.context.id, milestone.id))
    desk.caught_up()
    assert not plain.exists(f"session:{intent.context.id}", f"intent:{intent.context.id}")
    assert fields(plain, other.context.id)["milestones"] == []


def test_what_is_forgotten_while_it_is_down_is_gone_afterwards(tmp_path: Path) -> None:
    """Also when the daemon was not there either: the log is followed from where it was left."""
    with scratch("redis-own") as folder, Redis(folder) as server:
        with machine("desk", tmp_path / "desk", server.url) as desk:
            intent = desk.set_intent("private")
            desk.caught_up()
        server.kill()
        with machine("desk", tmp_path / "desk", server.url) as desk:
            desk.contexts.forget((intent.context.id,))
        server.start()
        with redis.Redis.from_url(server.url) as client:
            assert client.exists(f"session:{intent.context.id}")  # the file brought it back
            with machine("desk", tmp_path / "desk", server.url) as desk:
                desk.caught_up()
                assert not client.exists(f"session:{intent.context.id}")


def test_a_kill_that_loses_all_is_made_up_for(desk: Machine, server: Redis, plain: redis.Redis) -> None:
    old = desk.set_intent("old", "old").context.id
    id_ = desk.set_intent("Refactor", "work").context.id
    desk.caught_up()
    server.kill()
    for number in range(MANY):
        desk.milestone(f"step {number}", "work")
    soon(lambda: desk.hot.health().state == "down", "it is said to be down")
    assert "context.url" in desk.hot.health().message
    server.start()
    soon(lambda: shown(plain, id_, 50), "the newest milestones are back")
    desk.caught_up()
    assert fields(plain, id_)["milestones"][0]["text"] == f"step {MANY - 1}"
    assert fields(plain, old)["intent"] == "old"
    assert desk.hot.health().state == "ok"
    assert len(desk.history()) == MANY + 2  # the journal has them all, whatever Redis does


def test_an_emptied_one_is_filled_again_though_nothing_happens(desk: Machine, plain: redis.Redis) -> None:
    ids = [desk.set_intent(f"number {number}", f"s{number}").context.id for number in range(70)]
    desk.caught_up()
    plain.flushall()
    soon(lambda: plain.exists(*(f"session:{id_}" for id_ in ids)) == len(ids), "all are back")
    assert {plain.get(f"intent:{id_}") for id_ in ids} == {f"number {number}" for number in range(70)}


def test_one_that_hangs_keeps_nobody_waiting(server: Redis, plain: redis.Redis, tmp_path: Path) -> None:
    with machine("desk", tmp_path / "desk", server.url, timeout_ms=500) as desk:
        id_ = desk.set_intent("Refactor", "work").context.id
        desk.caught_up()
        server.suspend()
        try:
            for number in range(MANY):
                desk.milestone(f"step {number}", "work")
            soon(lambda: desk.hot.health().state == "down", "it is said to be down")
            # tests/contract/test_hot.py shows that nobody even tries now
            assert list(desk.hot.find(desk.sites.of(desk.root).key)) == []
        finally:
            server.resume()
        soon(lambda: shown(plain, id_, 50), "it has them")
        desk.caught_up()
        assert fields(plain, id_)["milestones"][0]["text"] == f"step {MANY - 1}"


def test_a_slow_one_is_said_to_be_slow_and_still_gets_everything(server: Redis, tmp_path: Path) -> None:
    with Proxy(server.url) as proxy, machine("desk", tmp_path / "desk", proxy.url, timeout_ms=500) as desk:
        desk.set_intent("before")
        desk.caught_up()
        proxy.latency(300)  # there and back: more than the 500 ms that a command gives it
        id_ = desk.set_intent("after").context.id
        with redis.Redis.from_url(server.url, decode_responses=True) as client:
            soon(lambda: client.get(f"intent:{id_}") == "after", "it has it")
        soon(lambda: "context.timeout_ms is 500" in slow(desk), "it is said to be slow")
        assert list(desk.hot.find(desk.sites.of(desk.root).key)) == []  # a command does not wait for it
        proxy.latency(0)
        soon(lambda: desk.hot.health().state == "ok", "it is well again")


def test_connections_that_are_reset_in_the_middle_of_a_save(server: Redis, tmp_path: Path) -> None:
    with Proxy(server.url) as proxy, machine("desk", tmp_path / "desk", proxy.url) as desk:
        desk.set_intent("first", "work")
        desk.caught_up()
        for number in range(10):
            proxy.cut_after(50 * number + 1)
            id_ = desk.milestone(f"step {number}", "work").context.id
            with redis.Redis.from_url(server.url, decode_responses=True) as client:
                soon(partial(shown, client, id_, number + 1), f"step {number} is there")


def test_it_may_be_missing_from_the_beginning(tmp_path: Path) -> None:
    with scratch("redis-late") as folder:
        server = Redis(folder)
        with machine("desk", tmp_path / "desk", server.url) as desk:
            id_ = desk.set_intent("Refactor").context.id
            soon(lambda: "cannot be reached" in desk.hot.health().message, "it is said")
            server.start()
            try:
                with redis.Redis.from_url(server.url, decode_responses=True) as client:
                    soon(lambda: client.get(f"intent:{id_}") == "Refactor", "it is there")
            finally:
                server.stop()


@pytest.mark.parametrize(
    ("nth", "error"),
    [
        (1, ZdriverError("the disk is on fire")),
        (2, ZdriverError("the disk is on fire")),
        (1, Unavailable("away")),
        (2, Unavailable("away")),
        (1, KeyError("a defect")),
    ],
)
def test_a_store_that_fails_does_not_end_the_following(
    desk: Machine, plain: redis.Redis, monkeypatch: pytest.MonkeyPatch, nth: int, error: Exception
) -> None:
    """Whichever of its reads it is."""
    real, reads = desk.store.read, 0

    def fails_once(unit: Callable[[Reading], object]) -> object:
        nonlocal reads
        if threading.current_thread().name == "hot":
            reads += 1
            if reads == nth:
                raise error
        return real(unit)

    desk.set_intent("before")
    desk.caught_up()
    monkeypatch.setattr("zdriver.hot.following.RETRY", 0.05)
    monkeypatch.setattr(desk.store, "read", fails_once)
    id_ = desk.set_intent("Refactor").context.id
    soon(lambda: plain.get(f"intent:{id_}") == "Refactor", "it is there")
    assert reads > nth


def test_what_others_wrote_over_it_is_put_right(desk: Machine, plain: redis.Redis) -> None:
    """Also where it says that it is newer."""
    id_ = desk.set_intent("Refactor", "work").context.id
    desk.caught_up()
    plain.hset(f"session:{id_}", mapping={"version": "999999999", "milestones": "[7]"})
    desk.milestone("one", "work")
    soon(lambda: shown(plain, id_, 1), "it is right again")
    plain.hset(f"session:{id_}", mapping={"version": "999999999"})
    desk.milestone("two", "work")
    soon(lambda: shown(plain, id_, 2), "it is right again")
    assert desk.milestones("work") == ["two", "one"]
