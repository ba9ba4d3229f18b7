"""What was forgotten is in no file of the store: not in free pages, logs, search index, backups."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.stores import service
from zdriver.context.layout import Layout, Pane, Tab
from zdriver.context.model import Place
from zdriver.context.snapshots import SnapshotService
from zdriver.core.errors import Unavailable
from zdriver.storage.port import Event
from zdriver.storage.sqlite import SqliteStore
from zdriver.testing import until

PLACE = Place(cwd="/w/here", zellij_session="mine")


def files_with(folder: Path, text: str) -> list[str]:
    """Names of the files that hold `text`, in any case."""
    wanted = text.lower().encode()
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and wanted in path.read_bytes().lower()
    )


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
