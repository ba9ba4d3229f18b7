"""Damage in what the store knows of worktrees: what is readable fits together, nothing is held twice."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from tests.integration import upgrades
from tests.integration.test_store_damage import PAGE, garbage, overwrite, pages_of
from zdriver.storage.port import Row
from zdriver.storage.sqlite import SqliteStore
from zdriver.worktrees import rows
from zdriver.worktrees.journal import Journal

WORKTREES = 400
#: Highest fencing token of every worktree.
TOKEN = 7


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One repository, 400 worktrees of which every fourth was removed, all claimed, linked, with a port."""
    path = tmp_path_factory.mktemp("original") / "zdriver.db"
    SqliteStore(path).close()
    connection = apsw.Connection(str(path))
    with connection:
        for table, (schema, row) in upgrades.ROWS.items():
            if schema == 3:
                for number in range(1 if "worktree_id" not in row and table != "worktrees" else WORKTREES):
                    _insert(connection, table, _numbered(table, row, number))
    connection.close()
    return path


def _numbered(table: str, row: dict[str, object], number: int) -> dict[str, object]:
    of = {"worktree_id": f"w{number}", "seq": number + 1, "port": 20_000 + number, "token": TOKEN}
    changed = {name: value for name, value in of.items() if name in row}
    if table in ("worktrees", "removals", "claims", "claim_waiters"):
        changed["id"] = f"{row['id']}{number}"
    if table == "worktrees":
        changed |= {"name": f"feat-{number}", "path": f"/c/feat-{number}"}
        changed |= {"state": "removed", "removed_at": 10} if number % 4 == 0 else {}
    if table == "removals":
        changed["name"] = f"feat-{number}"
    return row | changed


def _insert(connection: apsw.Connection, table: str, row: dict[str, object]) -> None:
    if table == "removals" and int(str(row["id"])[1:]) % 4:
        return
    marks = ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row)


def _damaged(original: Path, tmp_path: Path, table: str, *, every: int = 1) -> Path:
    path = tmp_path / "zdriver.db"
    path.write_bytes(original.read_bytes())
    for page in pages_of(path, table)[::every]:
        overwrite(path, (page - 1) * PAGE, garbage(PAGE, page))
    return path


def _count(path: Path, table: str) -> int:
    connection = apsw.Connection(str(path))
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").get)
    finally:
        connection.close()


def _opened(path: Path) -> None:
    """Recovered, and told; nothing in it names what is not there."""
    with SqliteStore(path) as store:
        assert store.recovery() is not None
    connection = apsw.Connection(str(path))
    try:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    finally:
        connection.close()


TABLES = sorted(table for table, (schema, _) in upgrades.ROWS.items() if schema == 3)


@pytest.mark.parametrize("table", TABLES)
def test_a_lost_table_costs_itself_and_what_hangs_on_it(original: Path, tmp_path: Path, table: str) -> None:
    path = _damaged(original, tmp_path, table)
    before = {name: _count(original, name) for name in TABLES}
    _opened(path)
    hanging = {"repos": set(TABLES) - {"worktree_types"}, "worktrees": set(TABLES) - {"repos"}}
    for name in set(TABLES) - {table, "fences"} - hanging.get(table, set()):
        assert _count(path, name) == before[name], name


def test_half_of_the_worktrees_keep_what_is_theirs(original: Path, tmp_path: Path) -> None:
    path = _damaged(original, tmp_path, "worktrees", every=2)
    _opened(path)
    connection = apsw.Connection(str(path))
    left = {row[0] for row in connection.execute("SELECT id FROM worktrees WHERE removed_at IS NULL")}
    assert 0 < len(left) < WORKTREES * 3 / 4
    for table in ("claims", "sync_links", "worktree_ports", "claim_waiters", "fences"):
        assert left <= {row[0] for row in connection.execute(f"SELECT worktree_id FROM {table}")}, table
    connection.close()


def test_what_was_removed_can_be_recovered_without_its_worktrees_row(original: Path, tmp_path: Path) -> None:
    path = _damaged(original, tmp_path, "worktrees")
    _opened(path)
    with SqliteStore(path) as store:
        repo = rows.repo(_row(store, "worktree.repo_by_id", id="r"))
        journal = Journal(store, "h")
        kept = journal.removals(repo)
        assert {each.name for each in kept} == {f"feat-{number}" for number in range(0, WORKTREES, 4)}
        for each in kept:
            worktree = journal.removed(each.id, repo).worktree
            assert (worktree.type, worktree.path) == ("feat", f"/c/{each.name}")


def _row(store: SqliteStore, statement: str, **params: str) -> Row:
    found = store.read(lambda tx: tx.one(statement, **params))
    assert found is not None
    return found


@pytest.mark.parametrize("lost", ["claims", "fences"])
def test_no_token_is_given_out_again(original: Path, tmp_path: Path, lost: str) -> None:
    path = _damaged(original, tmp_path, lost)
    _opened(path)
    connection = apsw.Connection(str(path))
    fences = {
        of: int(str(token)) for of, token in connection.execute("SELECT worktree_id, token FROM fences")
    }
    connection.close()
    assert len(fences) == WORKTREES
    assert min(fences.values()) > TOKEN


def test_without_any_damage_to_them_tokens_stay_as_they_are(original: Path, tmp_path: Path) -> None:
    path = _damaged(original, tmp_path, "sync_links")
    _opened(path)
    connection = apsw.Connection(str(path))
    assert {row[0] for row in connection.execute("SELECT DISTINCT token FROM fences")} == {TOKEN}
    connection.close()
