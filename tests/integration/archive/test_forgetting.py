"""What is forgotten is gone from the archive as well, also when that was away at the time."""

from __future__ import annotations

import pytest

from tests.integration.archive.world import World
from zdriver.archive.archiver import Archiver
from zdriver.archive.model import Said, Settled
from zdriver.archive.passing import Pass
from zdriver.archive.service import Archive, ArchiveService
from zdriver.archive.source import open_source
from zdriver.archive.target import Target
from zdriver.context.layout import Layout, Pane, Tab
from zdriver.context.model import Place
from zdriver.core.clock import now_us
from zdriver.core.config import load_config
from zdriver.core.engines import Address, address
from zdriver.core.errors import NotFound, Unavailable
from zdriver.core.killpoint import VARIABLE
from zdriver.storage.port import Row
from zdriver.testing.servers import PostgreSql

PLACE = Place(cwd="/w/secret-place", zellij_session="undercover")


def everything(world: World) -> str:
    """All that the archive holds, as one text."""
    tables = world.there("SELECT tablename::text AS name FROM pg_tables WHERE schemaname = 'public'")
    assert len(tables) >= 7
    return " ".join(str(world.there(f"SELECT t::text AS row FROM {table['name']} t")) for table in tables)


def _remember(world: World) -> tuple[str, str]:
    """Ids of an intent and of its context, with words that occur nowhere else."""
    world.live(3)
    intent = world.contexts.set_intent("xylophone first", place=PLACE)
    world.contexts.record_milestone("quetzalcoatl reached", place=PLACE, artifacts=("docs/zanzibar.md",))
    layout = Layout(tabs=(Tab(tiled=(Pane(cwd=PLACE.cwd, command=("vim",)),)),))
    world.snapshots.record(PLACE.zellij_session, PLACE.cwd, layout, "change")
    world.archiver.run()
    assert all(word in everything(world) for word in ("xylophone", "quetzalcoatl", "zanzibar", "undercover"))
    return intent.id, intent.context.id


def test_an_entry_is_gone_at_once(world: World) -> None:
    intent, _ = _remember(world)
    world.contexts.archive_forgets = world.archiver.forget
    gone = world.contexts.forget((intent,))
    assert gone.archive == "done"
    found = everything(world)
    assert "xylophone" not in found
    assert "quetzalcoatl" in found
    assert world.here("SELECT * FROM archive_owed") == []
    world.archiver.run()
    world.same()
    (milestone,) = world.there("SELECT intent_id FROM archive_entries WHERE text LIKE 'quetz%%'")
    assert milestone["intent_id"] is None


def test_who_forgets_does_not_wait_for_all_that_is_behind(world: World) -> None:
    """A history that was never archived may take longer than anybody waits for an answer."""
    intent, _ = _remember(world)
    world.live(3, begin=3)
    world.contexts.archive_forgets = world.archiver.forget
    assert world.contexts.forget((intent,)).archive == "done"
    found = everything(world)
    assert "xylophone" not in found
    assert "Intent 5" not in found
    world.archiver.run()
    assert "Intent 5" in everything(world)
    world.same()


def test_a_context_is_gone_with_its_place(world: World) -> None:
    _, context = _remember(world)
    world.contexts.archive_forgets = world.archiver.forget
    assert world.contexts.forget((context,)).archive == "done"
    found = everything(world)
    for word in ("xylophone", "quetzalcoatl", "zanzibar", "secret-place"):
        assert word not in found
    assert "Intent 2" in found
    world.archiver.run()
    world.same()


@pytest.mark.parametrize("how", ["run", "look"])
def test_what_the_archive_could_not_hear_it_hears_later(
    world: World, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """By hand, or by itself: what is owed is not put off until the next day's run is due."""
    intent, _ = _remember(world)
    world.contexts.archive_forgets = world.archiver.forget
    monkeypatch.setenv("ZDRIVER_ARCHIVE_URL", "postgresql://nobody@127.0.0.1:1/away")
    assert world.contexts.forget((intent,)).archive == "owed"
    assert "xylophone" in everything(world)
    monkeypatch.setenv("ZDRIVER_ARCHIVE_URL", world.url)
    getattr(world.archiver, how)()
    assert "xylophone" not in everything(world)
    assert world.here("SELECT * FROM archive_owed") == []
    world.same()


def test_what_was_pruned_here_is_forgotten_there_by_its_context(world: World) -> None:
    """The rewritten events are in the archive alone by then."""
    _, context = _remember(world)
    world.contexts.archive_forgets = world.archiver.forget
    world.store.write(lambda tx: tx.run("archive.prune_event", sequence=_sequence(world, "intent.set")))
    assert world.contexts.forget((context,)).archive == "done"
    found = everything(world)
    assert "xylophone" not in found
    assert "secret-place" not in found


def _sequence(world: World, type_: str) -> int:
    rows = world.here(f"SELECT sequence FROM events WHERE type = '{type_}' ORDER BY sequence DESC LIMIT 1")
    return int(rows[0]["sequence"])


def test_what_was_pruned_here_can_be_forgotten_by_its_id(world: World) -> None:
    """The store does not know it any more: the archive is asked which entry is meant."""
    intent, _ = _remember(world)
    place = Place(cwd="/w/secret-place", zellij_session="undercover")
    world.contexts.set_intent("another one", place=place)
    world.another(keep_days=1, clock=lambda: now_us() + 800 * 86_400_000_000).run()
    assert world.here(f"SELECT id FROM entries WHERE id = '{intent}'") == []
    with pytest.raises(NotFound):
        world.contexts.forget((intent[-8:],))
    where = Address(setting="archive.url", scheme="postgresql", url=world.url)
    service = ArchiveService(Archive(world.archiver, where, lambda _folder: ""))
    store = str(world.here("SELECT value FROM meta WHERE key = 'store_id'")[0]["value"])
    world.contexts.only_archived = lambda given: service.only_there(given, store)
    world.contexts.archive_forgets = world.archiver.forget
    (meant,) = world.contexts.meant((intent[-8:],))
    assert meant.entry is not None
    assert meant.entry.text == "xylophone first"
    assert "xylophone" in everything(world)
    gone = world.contexts.forget((intent[-8:],), request="once")
    assert (gone.intents, gone.archive) == (1, "done")
    assert "xylophone" not in everything(world)
    assert world.contexts.forget((intent[-8:],), request="once").intents == 1
    with pytest.raises(NotFound):
        world.contexts.forget((intent[-8:],))
    service.close()


def test_what_is_forgotten_while_it_is_on_its_way_does_not_stay(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forgotten between reading a page and sending it: the same run takes it out again."""
    world.live(2)
    world.archiver.run()
    intent = world.contexts.set_intent("xylophone", place=PLACE)
    config = load_config()
    source, where = open_source(config), address("archive.url", config)
    assert where is not None
    read = source.with_named

    def forgetting(events: list[Row]) -> tuple[list[Row], list[Row]]:
        found = read(events)
        assert intent.id in {row["id"] for row in found[0]}
        world.contexts.forget((intent.id,))
        return found

    monkeypatch.setattr(source, "with_named", forgetting)
    target = Target(where, source.id)
    assert target.lead()
    said: list[Said] = []
    Pass(source, target, said.append).run()
    target.close()
    assert any(isinstance(each, Settled) for each in said)
    assert "xylophone" not in everything(world)
    world.archiver.run()
    world.same()


def test_what_is_forgotten_is_counted_once(world: World) -> None:
    """A run looks twice, and the daemon may not have noted by then what it was told."""
    intent, _ = _remember(world)
    world.contexts.forget((intent,))
    config = load_config()
    source, where = open_source(config), address("archive.url", config)
    assert where is not None
    target = Target(where, source.id)
    assert target.lead()
    said: list[Said] = []
    made = Pass(source, target, said.append)
    made.run()
    target.close()
    assert made.forgotten == 1
    (settled,) = (each for each in said if isinstance(each, Settled))
    owed = world.here("SELECT seq FROM archive_owed ORDER BY seq")
    assert settled.seqs == tuple(row["seq"] for row in owed)


def test_killed_while_it_forgets(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    intent, _ = _remember(world)
    world.contexts.forget((intent,))
    monkeypatch.setenv(VARIABLE, "archive:forgotten")
    with pytest.raises(Unavailable):
        world.archiver.run()
    monkeypatch.delenv(VARIABLE)
    assert world.here("SELECT * FROM archive_owed") != []
    world.archiver.run()
    assert "xylophone" not in everything(world)
    assert world.here("SELECT * FROM archive_owed") == []


def test_without_an_archive_nothing_is_noted(world: World) -> None:
    """What is forgotten leaves no trace of what it was."""
    made = world.contexts.set_intent("xylophone", place=PLACE)
    world.contexts.forget((made.context.id,))
    assert world.here("SELECT * FROM archive_owed") == []


def test_an_archive_that_is_another_one_now_is_told_all_that_is_left(
    world: World, monkeypatch: pytest.MonkeyPatch, postgres_server: PostgreSql
) -> None:
    """archive.url names another database: everything goes there, under the same id of the store."""
    world.live(4)
    first: Archiver = world.archiver
    first.run()
    world.url = postgres_server.database("another_archive")
    monkeypatch.setenv("ZDRIVER_ARCHIVE_URL", world.url)
    first.run()
    world.same()
    assert len(world.here("SELECT * FROM archives")) == 2
