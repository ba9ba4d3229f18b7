"""Stores of older and newer versions, and databases of other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from tests.integration.stores import service
from zdriver.context.model import Place
from zdriver.core.errors import StoreTooNew, Unavailable
from zdriver.storage.catalog import migrations
from zdriver.storage.port import Transaction
from zdriver.storage.sqlite import SqliteStore
from zdriver.storage.sqlite.migrating import migrate


def test_a_newer_store_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "zdriver.db"
    with SqliteStore(path) as store:
        service(store).set_intent("from the future", place=Place(cwd="/w"))
        store.write(_meta(schema="99", min_compatible="98"))
    before = path.read_bytes()
    with pytest.raises(StoreTooNew) as refused:
        SqliteStore(path)
    assert "98" in refused.value.message
    assert "upgrade" in refused.value.hint
    assert path.read_bytes() == before


def test_a_newer_store_that_only_added_is_used(tmp_path: Path) -> None:
    path = tmp_path / "zdriver.db"
    with SqliteStore(path) as store:
        store.write(_meta(schema="99", min_compatible="1"))
    with SqliteStore(path) as store:
        service(store).set_intent("compatible", place=Place(cwd="/w"))
        assert store.read(lambda tx: tx.one("meta.get", key="schema")) == {"value": "99"}


def _meta(**values: str) -> Callable[[Transaction], None]:
    def unit(tx: Transaction) -> None:
        for key, value in values.items():
            tx.run("meta.put", key=key, value=value)

    return unit


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "zdriver.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(Unavailable, match="another program"):
        SqliteStore(path)
    assert path.read_bytes()[100:] == before[100:]


def _schema(path: Path) -> list[tuple[object, ...]]:
    connection = apsw.Connection(str(path))
    try:
        return sorted(connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall())
    finally:
        connection.close()


@pytest.mark.parametrize("stopped_at", range(1, len(migrations("sqlite"))))
def test_upgraded_from_any_schema_equals_new(tmp_path: Path, stopped_at: int) -> None:
    """And the rows are kept, and a copy is made before."""
    old, new = tmp_path / "old" / "zdriver.db", tmp_path / "new" / "zdriver.db"
    old.parent.mkdir()
    connection = apsw.Connection(str(old))
    migrate(connection, lambda: 1, lambda _: None, migrations("sqlite")[:stopped_at])
    connection.execute(
        "INSERT INTO contexts (id, host, zellij_session, root, opened_at) VALUES ('c', 'h', 's', '/', 1)"
    )
    connection.close()
    with SqliteStore(old) as store:
        assert store.read(lambda tx: tx.one("context.by_id", id="c")) is not None
        assert store.read(lambda tx: tx.one("meta.get", key="schema")) == {
            "value": str(len(migrations("sqlite")))
        }
    SqliteStore(new).close()
    assert _schema(old) == _schema(new)
    (copy,) = (tmp_path / "old" / "backups").glob(f"schema-{stopped_at}-*.db")
    connection = apsw.Connection(str(copy))
    assert connection.execute("SELECT value FROM meta WHERE key = 'schema'").get == str(stopped_at)
    connection.close()
