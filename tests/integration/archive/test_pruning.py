"""Old rows go from the store only when the archive was asked for each of them, and has it."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import pytest

from tests.integration.archive.world import World
from zdriver.context.model import Place
from zdriver.core.clock import now_us
from zdriver.core.errors import StorageFull
from zdriver.storage.port import Event
from zdriver.testing import Home

DAY = 86_400 * 1_000_000
PLACE = Place(cwd="/w/old", zellij_session="z")


def years_later() -> int:
    return now_us() + 800 * DAY


def test_by_default_nothing_goes(world: World) -> None:
    world.live(5)
    before = world.counts()
    done = world.another(clock=years_later).run()
    assert done.pruned.total == 0
    assert world.counts() == before


def test_what_is_old_goes_and_is_there(world: World) -> None:
    world.live(12)
    world.contexts.set_intent("Current", place=PLACE)
    archiver = world.another(keep_days=30, clock=years_later)
    before = world.counts()
    done = archiver.run()
    assert done.pruned.entries > 0
    assert done.pruned.claims == before["claims"]
    assert done.pruned.events > 0
    after = world.counts()
    for kind in ("entries", "claims", "events"):
        assert after[kind] == before[kind] - getattr(done.pruned, kind)
        assert len(world.there(f"SELECT 1 FROM archive_{kind}")) == before[kind]
    # What is in use is still here.
    current = world.contexts.intent(place=PLACE)
    assert current is not None
    assert current.text == "Current"
    assert world.contexts.history("Current")
    left = world.here("SELECT id FROM entries WHERE type = 'intent'")
    assert 0 < len(left) < 13
    assert len(world.contexts.history("Intent", limit=1000)) == len(left) - 1
    assert archiver.run().pruned.total == 0


def test_what_goes_on_goes_on(world: World) -> None:
    """Numbers of events and tokens of claims go on behind those that went."""
    world.live(10)
    world.another(keep_days=1, clock=years_later).run()
    order = "SELECT aggregate, max(aggregate_seq) AS last FROM events GROUP BY aggregate"
    before = {row["aggregate"]: row["last"] for row in world.here(order)}
    token = world.claims.claim("feat-a", agent="next").token
    assert token > 10
    world.claims.release("feat-a", token=token, agent="next")
    world.live(2, begin=10)
    after = {row["aggregate"]: row["last"] for row in world.here(order)}
    assert all(after[aggregate] >= last for aggregate, last in before.items())
    world.another().run()
    assert world.there(
        "SELECT aggregate, aggregate_seq FROM archive_events GROUP BY 1, 2 HAVING count(*) > 1"
    ) == []  # fmt: skip


def test_newest_milestones_stay(world: World) -> None:
    for number in range(40):
        world.contexts.record_milestone(f"Step {number}", place=PLACE)
    world.another(keep_days=1, clock=years_later).run()
    shown = [milestone.text for milestone in world.contexts.milestones(place=PLACE, limit=100)]
    assert shown[:20] == [f"Step {number}" for number in range(39, 19, -1)]
    assert len(shown) < 40


def test_what_the_archive_lost_stays_here(world: World) -> None:
    """Someone deletes rows in the archive: it is asked, and what it does not have is kept."""
    world.live(6)
    world.archiver.run()
    world.change("DELETE FROM archive_entries WHERE type = 'intent'")
    world.change("DELETE FROM archive_events")
    intents = len(world.here("SELECT id FROM entries WHERE type = 'intent'"))
    done = world.another(keep_days=1, clock=years_later).run()
    assert done.pruned.events == 0
    assert len(world.here("SELECT id FROM entries WHERE type = 'intent'")) == intents


def test_what_a_sink_has_not_had_stays(world: World) -> None:
    world.live(3)
    newest = world.here("SELECT max(sequence) AS s FROM events")[0]["s"]
    world.change("INSERT INTO deliveries (sink, sequence) VALUES ('rabbitmq', 1)", here=True)
    world.store.write(lambda tx: tx.emit(Event(type="a.b", aggregate="c:d", payload={})))
    world.another(keep_days=1, clock=years_later).run()
    left = {row["sequence"] for row in world.here("SELECT sequence FROM events")}
    assert 1 in left
    assert len(left) < newest


def test_what_was_touched_meanwhile_stays(world: World) -> None:
    """Undone between the archive's confirmation and the deletion: the archive does not know that yet."""
    from zdriver.archive.model import Prunable
    from zdriver.archive.pruning import prune

    milestone = world.contexts.record_milestone("Step", place=PLACE)
    other = world.contexts.record_milestone("Other", place=Place(cwd="/w/else"))
    world.archiver.run()
    cursor = world.here("SELECT cursor FROM archives")[0]["cursor"]
    world.contexts.undo_milestone(place=PLACE)
    rows = {row["id"]: row["seq"] for row in world.here("SELECT id, seq FROM entries")}
    told = Prunable(cursor=cursor, entries=(rows[milestone.id], rows[other.id]))
    assert world.store.write(lambda tx: prune(tx, told)).entries == 1
    assert [row["id"] for row in world.here("SELECT id FROM entries")] == [milestone.id]


def fill_up(world: World) -> None:
    for number in range(20_000):
        world.contexts.set_intent(f"filling {number} " + "x" * 5000, place=PLACE)


def test_a_full_disk_does_not_keep_what_is_archived_from_going(
    home: Home, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Room is made by taking away: what is noted on the way there must not wait for room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], check=True)
    monkeypatch.setenv("ZDRIVER_ARCHIVE_URL", database_url)
    monkeypatch.setenv("ZDRIVER_STORAGE_PATH", str(disk / "zdriver.db"))
    try:
        with World(disk / "zdriver.db", database_url) as world:
            world.live(12)
            with (disk / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
                while True:  # until there is no room left
                    ballast.write(bytes(4096))
            with pytest.raises(StorageFull):
                fill_up(world)
            before = world.counts()
            done = world.another(keep_days=1, clock=years_later).run()
            assert done.pruned.entries > 0
            assert world.counts()["entries"] == before["entries"] - done.pruned.entries
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)
