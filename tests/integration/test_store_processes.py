"""Kills, other processes, many threads: what was acknowledged is there, and one process owns the store."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.integration.stores import service, texts
from zdriver.context.model import Place
from zdriver.core.errors import StoreInUse
from zdriver.storage.sqlite import SqliteStore

KILLS = 50


def writer(database: Path, threads: int, prefix: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.integration.store_writer", str(database), str(threads), prefix]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_every_acknowledged_save_survives_fifty_kills(tmp_path: Path) -> None:
    """SIGKILL in the middle of a storm of saves; the pipe keeps what was acknowledged."""
    database = tmp_path / "zdriver.db"
    acknowledged: set[str] = set()
    for round_ in range(KILLS):
        with writer(database, 8, f"round {round_} save") as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            for _ in range(3 + round_ % 20):
                acknowledged.add(process.stdout.readline().strip())
            process.kill()
            acknowledged.update(line.strip() for line in process.stdout.read().splitlines())
    with SqliteStore(database) as store:
        missing = acknowledged - texts(store)
        assert store.recovery() is None
        assert store.read(lambda tx: tx.one("meta.get", key="schema")) is not None
        # Every save is whole: found by search, told as an event.
        told = store.read(lambda tx: tx.all("event.after", sequence=0, limit=1_000_000))
        last = max(acknowledged, key=lambda text: [int(word) for word in text.split() if word.isdigit()])
        assert last in [entry.text for entry in service(store).history(last)]
        assert len({row["id"] for row in told}) == len(told) == len(texts(store))
    assert missing == set()
    assert len(acknowledged) > KILLS * 3


def test_one_process_owns_the_store(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "zdriver.db") as store:
        with writer(tmp_path / "zdriver.db", 1, "other") as process:
            _, said = process.communicate(timeout=60)
        assert process.returncode != 0
        assert f"another process owns the store (pid {os.getpid()})" in said
        with pytest.raises(StoreInUse) as refused:
            SqliteStore(tmp_path / "zdriver.db")
        assert "connect()" in refused.value.hint
        service(store).set_intent("still mine", place=Place(cwd="/w"))
    with SqliteStore(tmp_path / "zdriver.db") as store:
        assert texts(store) == {"still mine"}


def test_thirty_two_threads(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "zdriver.db") as store:
        contexts = service(store)

        def save(k: int) -> None:
            for i in range(20):
                contexts.set_intent(f"{k} {i}", place=Place(cwd=f"/w/{k}", zellij_session="s"))
                contexts.record_milestone(f"done {k} {i}", place=Place(cwd=f"/w/{k}", zellij_session="s"))
                assert len(contexts.milestones(place=Place(cwd=f"/w/{k}", zellij_session="s"))) == i + 1

        threads = [threading.Thread(target=save, args=(k,)) for k in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert len(texts(store)) == 32 * 20 * 2
        assert len(contexts.contexts()) == 32
        last = [contexts.status(place=Place(cwd=f"/w/{k}", zellij_session="s")) for k in range(32)]
        assert [(one.intent, one.milestone) for one in last] == [
            (f"{k} 19", f"done {k} 19") for k in range(32)
        ]
