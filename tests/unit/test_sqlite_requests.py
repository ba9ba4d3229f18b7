"""Which requests the writer need not look up, and what it does when nothing can be written at all."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from zdriver.core.errors import Internal
from zdriver.core.ids import new_id
from zdriver.storage.port import Event, Transaction
from zdriver.storage.sqlite import SqliteStore
from zdriver.storage.sqlite import requests as recent
from zdriver.storage.sqlite.requests import Requests

LATE = "ffffffff-ffff-7fff-bfff-ffffffffffff"


@pytest.fixture
def table() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE requests (key TEXT NOT NULL PRIMARY KEY)")
    return connection


def test_only_an_id_made_since_is_new_and_only_once(table: apsw.Connection) -> None:
    before = new_id()
    requests = Requests(table)
    fresh = new_id()
    assert requests.is_new(fresh)
    assert not requests.is_new(before)
    assert not requests.is_new("r")
    assert not requests.is_new("z" * 36)
    requests.add([fresh])
    assert not requests.is_new(fresh)
    assert requests.is_new(new_id())


def test_after_a_clock_was_put_back_ids_are_looked_up_until_it_is_that_time_again(
    table: apsw.Connection,
) -> None:
    table.execute("INSERT INTO requests VALUES ('zzz'), (?), ('abc')", (LATE,))
    assert not Requests(table).is_new(new_id())


def test_old_ones_are_forgotten_and_looked_up_again(
    table: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "MOST", 10)
    requests = Requests(table)
    keys = [new_id() for _ in range(100)]
    for key in keys:
        assert requests.is_new(key)
        requests.add([key])
    assert not any(map(requests.is_new, keys))
    assert len(requests._kept) <= 10
    assert requests.is_new(new_id())


def test_a_table_that_cannot_be_read_makes_none_new() -> None:
    assert not Requests(apsw.Connection(":memory:")).is_new(new_id())


def test_what_cannot_be_written_fails_and_the_next_write_does_not(tmp_path: Path) -> None:
    def unit(tx: Transaction) -> None:
        tx.emit(Event(type="a.b", aggregate="a:\udcff", payload={"id": "1"}))

    with SqliteStore(tmp_path / "zdriver.db") as store:
        with pytest.raises(Internal):
            store.write(unit)
        store.write(lambda tx: tx.run("meta.put", key="a", value="1"))
        assert store.read(lambda tx: tx.one("meta.get", key="a")) == {"value": "1"}
