"""Stores of older and newer versions, and databases of other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace

from tests.integration import upgrades
from tests.integration.stores import service
from zdriver.context.model import Place
from zdriver.core.errors import StoreTooNew, Unavailable
from zdriver.storage.catalog import migrations
from zdriver.storage.port import Transaction
from zdriver.storage.sqlite import SqliteStore, salvage
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
    """And the rows of every table are kept, and a copy is made before."""
    old, new = tmp_path / "old" / "zdriver.db", tmp_path / "new" / "zdriver.db"
    old.parent.mkdir()
    connection = apsw.Connection(str(old))
    migrate(connection, lambda: 1, lambda _: None, migrations("sqlite")[:stopped_at])
    put = upgrades.fill(connection, stopped_at)
    assert put.keys() == upgrades.tables(connection), "each table has a row"
    connection.close()
    with SqliteStore(old) as store:
        assert store.read(lambda tx: tx.one("meta.get", key="schema")) == {
            "value": str(len(migrations("sqlite")))
        }
        assert [entry.id for entry in service(store).history("reached")] == ["e"]
    SqliteStore(new).close()
    assert _schema(old) == _schema(new)
    connection = apsw.Connection(str(old))
    assert upgrades.kept(connection, put) == put
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()
    (copy,) = (tmp_path / "old" / "backups").glob(f"schema-{stopped_at}-*.db")
    connection = apsw.Connection(str(copy))
    assert connection.execute("SELECT value FROM meta WHERE key = 'schema'").get == str(stopped_at)
    assert upgrades.kept(connection, put) == put
    connection.close()


def test_an_upgrade_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    """A step is there as a whole or not at all; the next opening tries again."""
    steps = migrations("sqlite")
    broken = replace(steps[-1], sql=steps[-1].sql + "\nCREATE TABLE contexts (again);")
    connection = apsw.Connection(str(tmp_path / "zdriver.db"))
    migrate(connection, lambda: 1, lambda _: None, steps[:-1])
    put = upgrades.fill(connection, len(steps) - 1)
    before = sorted(connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall())
    with pytest.raises(apsw.SQLError, match="already exists"):
        migrate(connection, lambda: 1, lambda _: None, (*steps[:-1], broken))
    assert sorted(connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()) == before
    connection.close()
    with SqliteStore(tmp_path / "zdriver.db") as store:
        assert store.read(lambda tx: tx.one("meta.get", key="schema")) == {"value": str(len(steps))}
    connection = apsw.Connection(str(tmp_path / "zdriver.db"))
    assert upgrades.kept(connection, put) == put
    connection.close()


def test_whatever_is_lost_no_row_of_any_table_names_a_lost_one(tmp_path: Path) -> None:
    """What recovery mends: every foreign key of the schema, those of tables yet to come as well."""
    connection = apsw.Connection(str(tmp_path / "zdriver.db"))
    migrate(connection, lambda: 1, lambda _: None)
    newest = len(migrations("sqlite"))
    assert set(upgrades.ROWS) == upgrades.tables(connection), "each table has a row"
    named = {parent for table in upgrades.tables(connection) for parent in _parents(connection, table)}
    assert named >= {"contexts", "blobs", "events", "repos", "worktrees"}
    for lost in sorted(named):
        connection.execute("SAVEPOINT whole")
        upgrades.fill(connection, newest)
        connection.execute(f"DELETE FROM {lost}")
        salvage.mend(connection)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == [], lost
        connection.execute("ROLLBACK TO whole")
        connection.execute("RELEASE whole")
    connection.close()


def _parents(connection: apsw.Connection, table: str) -> list[str]:
    found = connection.execute('SELECT "table" FROM pragma_foreign_key_list(?)', (table,))
    return [str(row[0]) for row in found]
