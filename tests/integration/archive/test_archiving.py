"""Everything of a store is in its archive, once, whatever happened on the way."""

from __future__ import annotations

import threading

import pytest

from tests.integration.archive.world import World
from zdriver.archive.archiver import RETRY
from zdriver.archive.model import Archived, Counts, Meets
from zdriver.archive.source import open_source
from zdriver.archive.target import Target
from zdriver.context.model import Place
from zdriver.core.config import load_config
from zdriver.core.engines import address
from zdriver.core.errors import Unavailable
from zdriver.core.killpoint import VARIABLE


def test_all_of_it_is_there(world: World) -> None:
    world.live(14)
    done = world.archiver.run()
    found = world.same()
    assert found["entries"] == 28
    assert found["claims"] == 16
    assert done.rows == Counts(**found)
    assert done.behind == 0


def test_twice_is_once(world: World) -> None:
    world.live(10)
    world.archiver.run()
    before = world.there("SELECT id, batch FROM archive_entries ORDER BY id")
    again = world.archiver.run()
    assert again.rows.total == 0
    assert world.there("SELECT id, batch FROM archive_entries ORDER BY id") == before
    world.same()


def test_what_changed_since_is_changed_there(world: World) -> None:
    world.live(12)
    world.archiver.run()
    for begin in (12, 19, 31):
        world.live(7, begin=begin)
        world.snapshots.pin(begin)
        asked = world.archiver.run(dry_run=True)
        assert asked.behind == asked.rows.events
        done = world.archiver.run()
        assert done.rows.events == asked.rows.events
        assert done.rows.entries == asked.rows.entries
        world.same()


def test_a_dry_run_writes_nothing(world: World) -> None:
    world.live(3)
    asked = world.archiver.run(dry_run=True)
    assert asked.dry_run
    assert asked.rows == Counts(**{kind: len(world.here(f"SELECT * FROM {kind}")) for kind in (
        "entries", "snapshots", "claims", "events")})  # fmt: skip
    assert world.there("SELECT * FROM archive_entries") == []
    assert world.there("SELECT * FROM archive_stores") == []


def test_what_is_confirmed_is_noted_here(world: World) -> None:
    assert world.here("SELECT * FROM archives") == []
    world.live(2)
    done = world.archiver.run()
    (noted,) = world.here("SELECT * FROM archives")
    (state,) = world.there("SELECT * FROM archive_stores")
    assert noted["id"] == done.archive
    assert noted["cursor"] == state["cursor"] == world.here("SELECT max(sequence) AS s FROM events")[0]["s"]
    assert done.archived_at == state["archived_at"]


@pytest.mark.parametrize("point", ["archive:copied", "archive:committed", "archive:merged"])
def test_killed_anywhere_and_done_again(world: World, point: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL in the middle of a batch, between its COMMIT and the word of it, and in a later run."""
    world.live(10)
    if point == "archive:merged":
        world.archiver.run()
        world.live(10, begin=10)
    archived_before = world.here("SELECT archived_at FROM archives")
    monkeypatch.setenv(VARIABLE, point)
    with pytest.raises(Unavailable, match="was stopped"):
        world.archiver.run()
    monkeypatch.delenv(VARIABLE)
    assert world.archiver.health().state == "down"
    if archived_before:
        assert world.here("SELECT archived_at FROM archives") == archived_before
    else:
        assert world.here("SELECT archived_at FROM archives") == [{"archived_at": 0}]
    world.live(5, begin=20)
    world.archiver.run()
    world.same()
    assert world.archiver.health().state == "ok"


def test_killed_after_each_batch_it_still_gets_there(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try is killed when its first batch was committed: so it goes on from there, or never ends."""
    world.live(8)
    monkeypatch.setenv(VARIABLE, "archive:committed")
    tries = 0
    while True:
        tries += 1
        try:
            world.archiver.run()
            break
        except Unavailable:
            assert tries < 10
    # entries, claims, events; then the snapshots, after which nothing is left to be killed at
    assert tries == 5
    world.same()


def test_two_at_once_do_it_once(world: World) -> None:
    world.live(10)
    reports: list[Archived] = []
    others = [world.another() for _ in range(3)]
    threads = [threading.Thread(target=lambda a=each: reports.append(a.run())) for each in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(report.rows.entries for report in reports) == 20
    world.same()


def test_what_another_archive_has_does_not_count_for_this_one(world: World) -> None:
    """archive.url names another one, and it breaks off before anything is there."""
    world.live(2)
    world.archiver.run()
    assert world.archiver.health().lag == 0
    world.archiver._heard(Meets(archive="another", version="15.0", latency_ms=1.0, skew_ms=0.0))
    world.archiver._count()
    assert world.archiver.health().lag == world.counts()["events"]


def test_while_another_is_at_it_for_the_first_time_it_is_looked_at_again_soon(world: World) -> None:
    """That one may be killed: then nobody else would begin before the next day."""
    world.live(2)
    config = load_config()
    source, where = open_source(config), address("archive.url", config)
    assert where is not None
    another = Target(where, source.id)
    assert another.lead()
    waiting = world.another(clock=lambda: 0)
    waiting.look()
    assert 0 < waiting._due <= RETRY * 1_000_000
    another.close()
    waiting.look()
    assert waiting._due > RETRY * 1_000_000
    world.same()


def test_a_store_that_lost_its_newest_rows_is_archived_anew(world: World) -> None:
    """As after a recovery from a backup: numbers that the archive knows are given to other events."""
    world.live(6)
    copy = world.database.with_name("copy.db")
    world.closed(lambda: copy.write_bytes(world.database.read_bytes()))
    world.live(4, begin=100)
    world.archiver.run()
    lost = world.there("SELECT count(*) AS n FROM archive_entries")[0]["n"]
    world.closed(lambda: world.database.write_bytes(copy.read_bytes()))
    world.live(9, begin=200)
    world.archiver.run()
    here = {row["id"] for row in world.here("SELECT id FROM entries")}
    there = {row["id"] for row in world.there("SELECT id FROM archive_entries")}
    assert here < there  # what the store lost is in the archive still
    assert len(there) == lost + 18
    world.live(2, begin=300)
    assert world.archiver.run().rows.entries >= 4


def test_while_others_write_nothing_is_missed(world: World) -> None:
    """Runs beside a writer, one after the other; at the end all is there."""
    done = threading.Event()

    def write() -> None:
        for turn in range(120):
            place = Place(cwd=f"/w/{turn % 5}", zellij_session="z")
            world.contexts.set_intent(f"beside {turn}", place=place)
            if turn % 3 == 0:
                world.contexts.record_milestone(f"beside {turn}", place=place)
                world.contexts.undo_milestone(place=place)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    runs = 0
    while not done.is_set() or not runs:
        world.archiver.run()
        runs += 1
    writer.join()
    world.archiver.run()
    world.same()
