"""What was forgotten is in no file of the store: not in free pages, logs, search index, backups."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.integration.stores import service
from zdriver.context import forgetting
from zdriver.context.layout import Layout, Pane, Tab
from zdriver.context.ledger import Ledger, MadePane
from zdriver.context.model import PanePlan, Place
from zdriver.context.snapshots import Captured, SnapshotService
from zdriver.core.clock import now_us
from zdriver.core.errors import Unavailable
from zdriver.storage.port import SCRUB_OWED, Event
from zdriver.storage.sqlite import SqliteStore
from zdriver.testing import until

PLACE = Place(cwd="/w/here", zellij_session="mine")


def files_with(folder: Path, text: str) -> list[str]:
    """Names of the files that hold `text`, in any case."""
    wanted = text.lower().encode()
    while True:
        try:
            return sorted(
                str(path.relative_to(folder))
                for path in folder.rglob("*")
                if path.is_file() and wanted in path.read_bytes().lower()
            )
        except FileNotFoundError:  # a copy got its name meanwhile, with which it would be missed
            continue


def test_a_forgotten_text_is_nowhere(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "zdriver.db", sinks=("audit",)) as store:
        contexts = service(store)
        for i in range(300):
            contexts.set_intent(f"ordinary {i} words", place=PLACE, request=f"r{i}")
        long = " ".join(f"xylophone{i}" for i in range(700))
        intent = contexts.set_intent(long, place=PLACE, request="s1")
        milestone = contexts.record_milestone(
            "quetzalcoatl was here", place=PLACE, request="s2", artifacts=("docs/zanzibar.md",)
        )
        undone = contexts.record_milestone("rumpelstiltskin", place=PLACE)
        contexts.undo_milestone(place=PLACE, request="s3")
        for i in range(300):
            contexts.set_intent(f"ordinary {i} words again", place=PLACE, request=f"q{i}")
        until(lambda: list((tmp_path / "backups").glob("*.db")), what="the daily copy")
        # The copies have it, too.
        store._backups.make("schema-1-test.db")
        words = ("xylophone", "quetzalcoatl", "zanzibar", "rumpelstiltskin")
        for word in words:
            assert len(files_with(tmp_path, word)) >= 2, word
        contexts.forget((intent.id, milestone.id, undone.id))
        for word in words:
            assert files_with(tmp_path, word) == [], word
        assert len(contexts.history(limit=1000)) == 600
        assert len(contexts.history("ordinary again", limit=1000)) == 300
    for word in words:
        assert files_with(tmp_path, word) == [], word
    assert len(list((tmp_path / "backups").glob("*.db"))) == 1
    with SqliteStore(tmp_path / "zdriver.db") as store:
        assert store.recovery() is None
        # The facts are still told, without their texts.
        told = store.read(lambda tx: tx.all("event.after", sequence=0, limit=10_000))
        assert sum(b'"forgotten":true' in row["envelope"] for row in told) == 4


def test_a_forgotten_context_is_nowhere(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "zdriver.db") as store:
        contexts = service(store)
        snapshots = SnapshotService(store, host="host")
        place = Place(cwd="/w/clandestine", zellij_session="undercover")
        made = contexts.set_intent("hushhush", place=place, request="r")
        contexts.record_milestone("psst", place=place)
        contexts.set_intent("kept", place=PLACE)
        layout = Layout(tabs=(Tab(tiled=(Pane(cwd="/w/clandestine", command=("vim", "x")),)),))
        snapshots.record("undercover", "/w/clandestine", layout, "change")
        gone = contexts.forget((made.context.id,))
        assert (gone.intents, gone.milestones, gone.snapshots) == (1, 1, 1)
        for word in ("hushhush", "psst", "clandestine"):
            assert files_with(tmp_path, word) == [], word
        assert [entry.text for entry in contexts.history()] == ["kept"]


def test_what_others_stored_stays(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "zdriver.db") as store:
        contexts = service(store)
        intent = contexts.set_intent("mine", place=PLACE, request="r1")
        other = contexts.set_intent("other", place=Place(cwd="/w/other"), request="r2")
        store.write(
            lambda tx: tx.emit(Event(type="a.b", aggregate="x:1", payload={"id": "x", "text": "theirs"}))
        )
        contexts.forget((intent.id,))
        assert contexts.set_intent("other", place=Place(cwd="/w/other"), request="r2") == other
        told = store.read(lambda tx: tx.all("event.after", sequence=0, limit=100))
        assert any(b"theirs" in row["envelope"] for row in told)


def test_what_was_kept_of_a_damaged_store_is_named(tmp_path: Path) -> None:
    """Nothing there is ever deleted for the user, so the user has to be told."""
    path = tmp_path / "zdriver.db"
    with SqliteStore(path) as store:
        contexts = service(store)
        intent = contexts.set_intent("hushhush", place=PLACE)
    path.write_bytes(path.read_bytes()[:-4096])
    with SqliteStore(path) as store:
        contexts = service(store)
        with pytest.raises(Unavailable, match="may still hold it") as refused:
            contexts.forget((intent.id,))
        assert contexts.history() == []
        (aside,) = files_with(tmp_path, "hushhush")
        assert aside in refused.value.message


def test_all_that_is_told_of_a_forgotten_folder_goes_along(tmp_path: Path) -> None:
    """Restores, servers, pruned generations, kept answers, and the contexts that joined it."""
    ahead = 0
    with SqliteStore(tmp_path / "zdriver.db", clock=lambda: now_us() + ahead) as store:
        contexts, ledger = service(store), Ledger(store, host="host")
        snapshots = SnapshotService(store, host="host", clock=lambda: now_us() + ahead)
        folder = "/w/clandestine"
        layout = Layout(tabs=(Tab(tiled=(Pane(cwd=f"{folder}/below", command=("vim", "x")),)),))
        ledger.opened("boot/1/1", name="before", pid=1, root=folder)
        old = contexts.set_intent("hushhush", place=Place(cwd=folder, zellij_session="before"))
        for i in range(2):
            tabs = tuple(replace(tab, name=f"tab {i}") for tab in layout.tabs)
            snapshots.record("before", folder, Layout(tabs=tabs), "change")
        ledger.ended("boot/1/1", crashed=True)
        snapshots.capturer = lambda place: Captured(zellij_session="after", root=folder, layout=layout)
        snapshots.save(place=Place(zellij_session="after"), request="s")
        ledger.opened("boot/2/2", name="after", pid=2, root=folder)
        contexts.record_milestone("psst", place=Place(cwd=folder, zellij_session="after"), request="m")
        contexts.rebind("before", "after")
        plan = PanePlan(
            tab="t",
            name="",
            cwd=f"{folder}/below",
            command=("vim",),
            action="run",
            reason="r",
            tab_index=0,
            pane_index=0,
        )
        made = (MadePane(terminal=1, plan=plan),)
        ledger.add_restore(
            server="boot/2/2", source="before", generation=1, root=folder, panes=made, failed=0
        )
        ledger.ended("boot/2/2", crashed=False)
        ahead = 3 * 24 * 3600 * 1_000_000
        assert snapshots.prune() > 0, "the event of a generation that is gone tells of it, too"
        contexts.set_intent("kept", place=PLACE)
        contexts.forget((old.context.id,))
        for word in ("hushhush", "psst", "clandestine"):
            assert files_with(tmp_path, word) == [], word
        assert [entry.text for entry in contexts.history()] == ["kept"]
        assert ledger.carried_on() == {"before": 1}, "an older generation is not offered again for it"


def test_a_neighbour_at_the_same_root_keeps_what_is_its_own(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "zdriver.db") as store:
        contexts, ledger = service(store), Ledger(store, host="host")
        snapshots = SnapshotService(store, host="host")
        layout = Layout(tabs=(Tab(tiled=(Pane(cwd="/w/shared"),)),))
        for name in ("mine", "theirs"):
            ledger.opened(f"boot/{name}/1", name=name, pid=1, root="/w/shared")
            contexts.set_intent(f"intent of {name}", place=Place(cwd="/w/shared", zellij_session=name))
            snapshots.record(name, "/w/shared", layout, "change")
        (mine,) = (each for each in contexts.contexts() if each.zellij_session == "mine")
        contexts.forget((mine.id,))
        assert [entry.text for entry in contexts.history()] == ["intent of theirs"]
        assert [info.zellij_session for info in snapshots.list()] == ["theirs"]
        assert {server.root for server in ledger.open_servers()} == {"/w/shared"}
        told = store.read(lambda tx: tx.all("event.after", sequence=0, limit=100))
        assert sum(b"/w/shared" in row["envelope"] for row in told) == 2


def test_a_kill_before_the_files_are_clean_is_made_up_for(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "zdriver.db") as store:
        intent = service(store).set_intent("hushhush", place=PLACE)
        until(lambda: list((tmp_path / "backups").glob("*.db")), what="the daily copy")
        store.write(lambda tx: forgetting.forget(tx, (intent.id,), "host"))
    assert files_with(tmp_path, "hushhush") != []
    with SqliteStore(tmp_path / "zdriver.db") as store:
        assert files_with(tmp_path, "hushhush") == []
        assert store.read(lambda tx: tx.one("meta.get", key=SCRUB_OWED)) is None
        service(store).forget((service(store).set_intent("more", place=PLACE).id,))
        assert store.read(lambda tx: tx.one("meta.get", key=SCRUB_OWED)) is None


def test_a_copy_that_a_kill_cut_short_does_not_stay(tmp_path: Path) -> None:
    (tmp_path / "backups").mkdir()
    left = tmp_path / "backups" / "daily-20260101T000000Z.unfinished"
    left.write_bytes(b"hushhush")
    with SqliteStore(tmp_path / "zdriver.db"):
        assert not left.exists()
