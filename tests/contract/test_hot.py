"""What every hot copy promises behind `hot.port.Hot`. Redis is the one that is built in."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import redis

from tests.contract.hot import NOW, SITE, a_view
from zdriver.core.clock import now_us
from zdriver.core.engines import Address
from zdriver.core.ids import new_id
from zdriver.hot.model import HotIntent, HotView
from zdriver.hot.port import CONTEXT_SECONDS, INTENT_SECONDS
from zdriver.hot.redis import RedisHot

DAY = 86_400
#: seconds that a test may take
SLACK = 60
#: Clocks that differ by less are the same here.
SAME = timedelta(seconds=1)


@pytest.fixture
def hot(redis_url: str) -> Iterator[RedisHot]:
    made = RedisHot(
        Address(setting="context.url", scheme="redis", url=redis_url), host="one", timeout_ms=10_000
    )
    made.connect()
    yield made
    made.close()


@pytest.fixture
def plain(redis_url: str) -> Iterator[redis.Redis]:
    """What others see: Redis itself."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def newer(view: HotView, text: str, by: int = 1) -> HotView:
    intent = HotIntent(id=new_id(), text=text, at=NOW)
    return msgspec.structs.replace(view, version=view.version + by, intent=intent)


def test_what_is_saved_is_found_whole(hot: RedisHot) -> None:
    view = a_view()
    assert hot.save([view]) == []
    assert hot.load(view.id) == view
    assert list(hot.find(SITE.key)) == [view]


def test_a_context_without_anything_but_a_milestone_reads_back(hot: RedisHot) -> None:
    view = a_view(intent=None, panes=(), layout=None, taken_at=None, zellij_session="", parent="")
    hot.save([view])
    assert hot.load(view.id) == view


def test_the_latest_wins_in_whatever_order_they_arrive(hot: RedisHot) -> None:
    view = a_view()
    last = newer(view, "the last", 2)
    assert hot.save([last]) == []
    assert hot.save([newer(view, "late")]) == [view.id]
    assert hot.load(view.id) == last
    very_last = newer(last, "the very last")
    assert hot.save([last, very_last]) == []
    assert list(hot.find(SITE.key)) == [very_last]


def test_the_same_version_again_is_no_refusal(hot: RedisHot) -> None:
    view = a_view()
    assert hot.save([view]) == []
    assert hot.save([view]) == []


def test_the_newest_of_one_site_comes_first(hot: RedisHot) -> None:
    old, new = a_view(updated_at=NOW - timedelta(days=1)), a_view()
    hot.save([new, old])
    assert [view.id for view in hot.find(SITE.key)] == [new.id, old.id]
    assert hot.find("0" * 32) == []


def test_one_that_goes_to_another_branch_is_found_there_alone(hot: RedisHot) -> None:
    view = a_view()
    other = msgspec.structs.replace(SITE, branch="fix")
    hot.save([view])
    hot.save([msgspec.structs.replace(view, version=8, site=other)])
    assert list(hot.find(SITE.key)) == []
    assert [each.id for each in hot.find(other.key)] == [view.id]


def test_what_is_dropped_is_gone_everywhere(hot: RedisHot, plain: redis.Redis) -> None:
    view, other = a_view(), a_view()
    hot.save([view, other])
    hot.drop([view.id, new_id()])
    assert hot.load(view.id) is None
    assert [each.id for each in hot.find(SITE.key)] == [other.id]
    assert not [key for key in plain.keys("*") if view.id in key]


def test_others_read_what_the_specification_names(hot: RedisHot, plain: redis.Redis) -> None:
    view = a_view()
    hot.save([view])
    fields = plain.hgetall(f"session:{view.id}")
    assert fields["intent"] == "Refactor the café"
    assert fields["root"] == "/w/app"
    assert fields["host"] == "desk"
    assert fields["updated_at"] == NOW.isoformat().replace("+00:00", "Z")
    milestones = msgspec.json.decode(fields["milestones"])
    assert [each["text"] for each in milestones] == ["two", "one"]
    assert milestones[0]["kind"] == "checkpoint"
    panes = msgspec.json.decode(fields["panes"])
    assert panes == [{"tab": "code", "cwd": "/w/app", "command": ["vim", "a.py"]}]
    assert plain.get(f"intent:{view.id}") == "Refactor the café"


def test_each_has_its_time(hot: RedisHot, plain: redis.Redis) -> None:
    """7 days from the last change, or from now while it is open; an intent 24 h from when it was set."""
    now = datetime.now(UTC)  # `NOW` is as old as the run
    intent = HotIntent(id=new_id(), text="Refactor", at=now - timedelta(hours=1))
    view = a_view(updated_at=now - timedelta(days=2), intent=intent)
    hot.save([view])
    assert abs(plain.ttl(f"session:{view.id}") - (CONTEXT_SECONDS - 2 * DAY)) < SLACK
    assert abs(plain.ttl(f"intent:{view.id}") - (INTENT_SECONDS - 3600)) < SLACK
    hot.save([view], frozenset([view.id]))
    assert abs(plain.ttl(f"session:{view.id}") - CONTEXT_SECONDS) < SLACK


def test_an_intent_of_yesterday_and_one_that_was_cleared_are_not_hot(
    hot: RedisHot, plain: redis.Redis
) -> None:
    yesterday = HotIntent(id=new_id(), text="old", at=NOW - timedelta(days=1, minutes=1))
    view, cleared = a_view(intent=yesterday), a_view()
    hot.save([view, cleared])
    hot.save([msgspec.structs.replace(cleared, version=8, intent=None)])
    assert plain.exists(f"intent:{view.id}", f"intent:{cleared.id}") == 0
    assert plain.hget(f"session:{view.id}", "intent") == "old"
    assert plain.hget(f"session:{cleared.id}", "intent") == ""


def test_it_tells_when_it_was_emptied(hot: RedisHot, plain: redis.Redis) -> None:
    assert not hot.intact()
    hot.mark()
    assert hot.intact()
    plain.flushall()
    assert not hot.intact()
    hot.save([a_view()])
    assert not hot.intact()


def test_one_of_which_the_time_ended_is_found_no_more(hot: RedisHot, plain: redis.Redis) -> None:
    view = a_view()
    hot.save([view])
    plain.delete(f"session:{view.id}")
    assert list(hot.find(SITE.key)) == []
    assert plain.zcard(f"zdriver:site:{SITE.key}") == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", "many"),
        ("root", "relative"),
        ("milestones", "[{"),
        ("milestones", '[{"id":"x","text":"t","at":"2026-01-01T00:00:00Z"}]'),
        ("layout", "[]"),
        ("updated_at", "yesterday"),
        ("intent", "with \x1b[31m in it"),
        ("intent_id", ""),
    ],
)
def test_what_anybody_wrote_there_is_passed_over(
    hot: RedisHot, plain: redis.Redis, field: str, value: str
) -> None:
    bad, good = a_view(), a_view()
    hot.save([bad, good])
    plain.hset(f"session:{bad.id}", field, value)
    assert [view.id for view in hot.find(SITE.key)] == [good.id]


def test_a_secret_that_somebody_wrote_there_is_not_taken_over(hot: RedisHot, plain: redis.Redis) -> None:
    view = a_view()
    hot.save([view])
    plain.hset(f"session:{view.id}", "intent", "use password=hunter2secret now")
    found = hot.load(view.id)
    assert found is not None
    assert found.intent is not None
    assert "hunter2secret" not in found.intent.text


def test_a_key_of_another_program_takes_nothing_else_along(hot: RedisHot, plain: redis.Redis) -> None:
    view, other = a_view(), a_view()
    plain.set(f"session:{view.id}", "a text")
    assert hot.save([view, other]) == []
    assert plain.get(f"session:{view.id}") == "a text"
    assert hot.load(other.id) == other


def test_a_key_that_became_another_program_s_is_passed_over(hot: RedisHot, plain: redis.Redis) -> None:
    view, other = a_view(), a_view()
    hot.save([view, other])
    plain.set(f"session:{view.id}", "a text")
    assert list(hot.find(SITE.key)) == [other]
    assert hot.health().state == "ok"


def test_scripts_that_were_forgotten_are_loaded_again(hot: RedisHot, plain: redis.Redis) -> None:
    view = a_view()
    plain.script_flush()
    assert hot.save([view]) == []
    assert list(hot.find(SITE.key)) == [view]


def test_who_may_not_wait_does_not_even_ask_one_that_hangs() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        hot = RedisHot(Address(setting="context.url", scheme="redis", url=url), host="one")
        assert list(hot.find(SITE.key)) == []
        assert hot.health().state == "down"
        assert asked(silent) == 1
        for _ in range(20):
            assert list(hot.find(SITE.key)) == []
        assert asked(silent) == 0
        hot.close()


def asked(silent: socket.socket) -> int:
    """How many connections were begun since the last look."""
    count = 0
    while True:
        try:
            silent.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_its_health_has_figures(hot: RedisHot) -> None:
    health = hot.health()
    assert (health.engine, health.role, health.state, health.message) == ("redis", "context", "ok", "")
    assert health.version
    assert health.latency_ms is not None
    assert health.skew_ms is not None
    assert timedelta(milliseconds=abs(health.skew_ms)) < SAME


def test_an_answer_that_takes_long_makes_no_skew(hot: RedisHot, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of Redis is that of some moment between the question and the answer."""
    moments = iter((-40_000_000, 40_000_000))
    monkeypatch.setattr("zdriver.hot.redis.now_us", lambda: now_us() + next(moments))
    hot.connect()
    assert timedelta(milliseconds=abs(hot.health().skew_ms or 0)) < SAME


def test_clocks_that_do_not_agree_are_reckoned_with(
    hot: RedisHot, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was done on a machine whose clock is an hour behind is as new as it is."""
    old, new = a_view(updated_at=NOW - timedelta(minutes=10)), a_view()
    hot.save([old])
    hour = 3_600_000_000
    monkeypatch.setattr("zdriver.hot.redis.now_us", lambda: now_us() - hour)
    behind = RedisHot(
        Address(setting="context.url", scheme="redis", url=redis_url), host="two", timeout_ms=10_000
    )
    behind.connect()
    behind.save([msgspec.structs.replace(new, updated_at=NOW - timedelta(hours=1))])
    assert abs(timedelta(milliseconds=behind.health().skew_ms or 0) - timedelta(hours=1)) < SAME
    found = hot.find(SITE.key)
    assert [view.id for view in found] == [new.id, old.id]
    assert abs(found[0].updated_at - NOW) < SAME
    theirs = {view.id: view.updated_at for view in behind.find(SITE.key)}
    assert abs(theirs[old.id] - (NOW - timedelta(hours=1, minutes=10))) < SAME
    behind.close()
