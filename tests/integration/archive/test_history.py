"""Looking things up in the archive: words, times, places, machines, pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.integration.archive.world import World
from tests.integration.stores import service
from zdriver.archive.searching import Asked, Searching
from zdriver.context.model import Place
from zdriver.core.engines import Address
from zdriver.core.errors import NotFound, Unavailable


@pytest.fixture
def searching(world: World) -> Iterator[Searching]:
    world.contexts.set_intent("Refactor the café's database layer", place=Place(cwd="/w/shop/feat-a"))
    world.contexts.record_milestone(
        "user-auth done", place=Place(cwd="/w/shop/feat-a"), artifacts=("src/api.ts",)
    )
    world.contexts.set_intent("データベース 移行", place=Place(cwd="/w/shop/feat_b"))
    world.contexts.record_milestone(
        "100 % done: it's \\ 'quoted' & | ! :* <->", place=Place(cwd="/w/shop/feat-c")
    )
    world.archiver.run()
    made = Searching(Address(setting="archive.url", scheme="postgresql", url=world.url))
    yield made
    made.close()


QUERIES = [
    ("", 4),
    ("cafe", 1),
    ("CAFÉ data", 1),
    ("api.ts", 1),
    ("src/api.ts", 1),
    ("user-auth", 1),
    ("auth user", 1),
    ("データ", 1),
    ("done", 2),
    ("don", 2),
    ("done api", 1),
    ("on", 0),
    ("nothing", 0),
    ("'quoted' & | ! :*", 1),
    ("\\", 0),
    ("'", 0),
    ("& !", 0),
    ("' | true --", 0),
]


def test_words(searching: Searching, world: World) -> None:
    """The same is found as in the store itself."""
    for query, count in QUERIES:
        found = searching.history(Asked(query=query))
        assert len(found) == count, query
        assert [each.id for each in found] == [each.id for each in world.contexts.history(query)]


def test_an_entry_is_shown_whole(searching: Searching, world: World) -> None:
    (found,) = searching.history(Asked(query="user auth"))
    (here,) = world.contexts.history("user auth")
    for name in here.__struct_fields__:
        assert getattr(found, name) == getattr(here, name)
    assert found.store == world.here("SELECT value FROM meta WHERE key = 'store_id'")[0]["value"]


def test_places_and_times(searching: Searching) -> None:
    def count(**asked: Any) -> int:
        return len(searching.history(Asked(**asked)))

    assert count(root="/w/shop") == 4
    assert count(root="/w/shop/feat-a") == 2
    assert count(root="/w/shop/feat_b") == 1
    assert count(root="/w/sho") == 0
    assert count(root="/w/shop/feat-a", query="cafe") == 1
    now = datetime.now(UTC)
    assert count(since=now - timedelta(hours=1)) == 4
    assert count(since=now + timedelta(hours=1)) == 0


def test_pages_leave_nothing_out(searching: Searching, world: World) -> None:
    world.live(20)
    world.archiver.run()
    whole = [each.id for each in searching.history(Asked(limit=1000))]
    paged: list[str] = []
    while page := searching.history(Asked(limit=7, before=paged[-1] if paged else "")):
        paged += [each.id for each in page]
    assert paged == whole
    with pytest.raises(NotFound):
        searching.history(Asked(before="nobody"))


def test_what_was_undone_is_not_shown(searching: Searching, world: World) -> None:
    world.contexts.undo_milestone(place=Place(cwd="/w/shop/feat-a"))
    world.archiver.run()
    assert len(searching.history(Asked())) == 3


def test_machines_by_name_and_id(searching: Searching, world: World) -> None:
    world.change("UPDATE archive_hosts SET name = 'build-1'")
    assert len(searching.history(Asked(host="build-1"))) == 4
    assert len(searching.history(Asked(host="host"))) == 4
    assert searching.history(Asked(host="other")) == []
    assert {each.host for each in searching.history(Asked())} == {"build-1"}


def test_clones_of_a_repository_are_one_wherever_they_lie(searching: Searching, world: World) -> None:
    """Said in another folder on another machine: found by the remote."""
    world.change("UPDATE repos SET remote = 'git@example.org:shop.git', host = 'host'", here=True)
    contexts = service(world.store)
    contexts.set_intent("Elsewhere", place=Place(cwd="/w/feat-a"))
    world.archiver.run()
    (found,) = searching.history(Asked(root="/home/other/shop", remote="https://example.org/shop"))
    assert found.text == "Elsewhere"
    assert found.repo == "example.org/shop"


def test_a_connection_that_was_lost_is_made_anew(searching: Searching, world: World) -> None:
    assert searching.history(Asked())
    with psycopg.connect(world.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND usename = current_user AND datname = current_database()"
        )
    assert len(searching.history(Asked())) == 4


def test_an_archive_that_is_away_is_said_so(world: World) -> None:
    away = Searching(Address(setting="archive.url", scheme="postgresql", url="postgresql://a@127.0.0.1:1/x"))
    with pytest.raises(Unavailable, match=r"archive\.url"):
        away.history(Asked())


def test_a_frequent_beginning_after_a_rare_word_finds_the_same(searching: Searching, world: World) -> None:
    """Once PostgreSQL knows the frequencies, such a question is asked in another way."""
    for number in range(60):
        world.contexts.record_milestone(
            f"database {number} {'zebra' if number % 20 == 3 else ''}", place=Place(cwd="/w/many")
        )
    world.archiver.run()
    with psycopg.connect(world.url, autocommit=True) as connection:
        connection.execute("ANALYZE archive_entries")
    for query in ("zebra data", "zebra database", "database zeb", "database zebra 4", "zebra 3 d"):
        found = [each.id for each in searching.history(Asked(query=query))]
        assert found == [each.id for each in world.contexts.history(query)]
        assert found
    known = searching._frequencies
    assert known is not None
    assert known.beginning_is_last(["zebra", "data"])
