"""A SQLite store moves to PostgreSQL: all of it, compared, whatever happens on the way."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, LiteralString

import apsw
import psycopg
import pytest

from tests.integration import upgrades
from tests.integration.archive.world import World
from tests.integration.commands import Cli
from tests.integration.stores import service
from zdriver.archive.archiver import Archiver
from zdriver.context.forgetting import FORGOTTEN
from zdriver.context.model import Place
from zdriver.core.clock import now_us
from zdriver.core.engines import Address
from zdriver.core.errors import Conflict, NotFound, StoreInUse, Unavailable
from zdriver.moving import service as moving
from zdriver.moving import source as source_module
from zdriver.moving import target as target_module
from zdriver.moving.digests import summed
from zdriver.moving.model import Moved
from zdriver.moving.target import Target
from zdriver.storage.catalog import migrations
from zdriver.storage.postgres import leading
from zdriver.storage.postgres.store import PostgresStore
from zdriver.storage.sqlite import SqliteStore
from zdriver.testing import Home, until
from zdriver.testing.servers import PostgreSql


@pytest.fixture
def address(database_url: str) -> Address:
    return Address(setting="storage.url", scheme="postgresql", url=database_url)


@pytest.fixture
def filled(home: Home) -> Path:
    """A closed store with a history, and with a row in every table that there is."""
    SqliteStore(home.database).close()
    connection = apsw.Connection(str(home.database))
    upgrades.fill(connection, len(migrations("sqlite")))
    connection.execute("UPDATE requests SET at = ?", (now_us(),))  # older ones would be swept
    connection.close()
    with World(home.database, "") as world:
        world.live(12)
    return home.database


def everything(path: Path) -> dict[str, int]:
    """Table → rows, by SQLite alone."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    counted = {
        name: int(connection.execute(f"SELECT count(*) FROM {name}").get)
        for name in sorted(upgrades.tables(connection))
    }
    connection.close()
    return counted


def there(address: Address, statement: LiteralString) -> list[tuple[Any, ...]]:
    with psycopg.connect(address.url) as connection:
        return connection.execute(statement).fetchall()


def counted_there(address: Address, path: Path) -> dict[str, int]:
    return {name: there(address, f"SELECT count(*) FROM {name}")[0][0] for name in everything(path)}


def rows_of(moved: Moved) -> dict[str, int]:
    """Of what `everything` counts: not of `meta`, of which only a part moves."""
    return {name: each.rows for name, each in moved.tables.items() if name != "meta"}


def test_every_row_of_every_table_is_there(filled: Path, address: Address) -> None:
    before = everything(filled)
    bytes_before = hashlib.sha256(filled.read_bytes()).hexdigest()
    assert all(before.values()), "a table without a row shows nothing"
    moved = moving.move(filled, address)
    assert rows_of(moved) == before
    assert counted_there(address, filled) == before
    assert everything(filled) == before
    assert hashlib.sha256(filled.read_bytes()).hexdigest() == bytes_before
    rows = there(address, 'SELECT id, text, at, artifacts FROM entries ORDER BY id COLLATE "C"')
    connection = apsw.Connection(str(filled), flags=apsw.SQLITE_OPEN_READONLY)
    assert rows == connection.execute("SELECT id, text, at, artifacts FROM entries ORDER BY id").fetchall()
    frozen = connection.execute("SELECT sequence, envelope FROM events ORDER BY sequence").fetchall()
    assert there(address, "SELECT sequence, envelope FROM events ORDER BY sequence") == frozen
    connection.close()


def test_it_goes_on_there(home: Home, address: Address) -> None:
    """The same store: its id, its contexts, its search; new rows come behind those that moved."""
    place = Place(cwd="/w/x", zellij_session="z")
    with SqliteStore(home.database) as store:
        contexts = service(store)
        contexts.set_intent("Refactor the café", place=place)
        contexts.record_milestone("src/api.ts works", place=place)
        id_ = store.read(lambda tx: tx.one("meta.get", key="store_id"))
        log = store.read(lambda tx: tx.all("event.after", sequence=0, limit=100))
    moving.move(home.database, address)
    with PostgresStore(address) as moved:
        contexts = service(moved)
        assert moved.read(lambda tx: tx.one("meta.get", key="store_id")) == id_
        intent = contexts.intent(place=place)
        assert intent is not None
        assert intent.text == "Refactor the café"
        assert [entry.text for entry in contexts.history("api")] == ["src/api.ts works"]
        assert [entry.text for entry in contexts.history("cafe")] == ["Refactor the café"]
        contexts.set_intent("Another", place=place)
        contexts.record_milestone("Reached", place=place)
        assert [entry.text for entry in contexts.history()][:2] == ["Reached", "Another"]
        after = until(
            lambda: moved.read(lambda tx: tx.all("event.after", sequence=log[-1]["sequence"], limit=9)),
            what="events that are settled",
        )
        assert [row["aggregate_seq"] for row in after] == [3, 4]


def test_what_was_forgotten_stays_forgotten_there(home: Home, address: Address) -> None:
    """It might come back from Redis, or with an import: the store knows that it must not."""
    with SqliteStore(home.database) as store:
        contexts = service(store)
        gone = contexts.set_intent("private", place=Place(cwd="/w/x"))
        contexts.forget((gone.id,))
        key = f"{FORGOTTEN}{gone.id}"
        assert store.read(lambda tx: tx.one("meta.get", key=key)) == {"value": ""}
    PostgresStore(address).close()  # what it notes of itself there stays
    moved = moving.move(home.database, address)
    assert moved.tables["meta"].rows == 1
    with PostgresStore(address) as there_now:
        assert there_now.read(lambda tx: tx.one("meta.get", key=key)) == {"value": ""}
        kept = there_now.read(lambda tx: tx.one("meta.get", key="store_id"))
        assert kept == {"value": moved.store}


def test_two_stores_are_not_moved_to_one_database_at_once(filled: Path, address: Address) -> None:
    with Target(address), pytest.raises(Conflict, match="another store is just being moved"):
        moving.move(filled, address)
    moving.move(filled, address)
    assert counted_there(address, filled) == everything(filled)


def test_who_comes_while_another_one_ends_waits_for_it(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server hears of one that was killed a moment later."""
    monkeypatch.setattr(leading, "TURN", 60)

    def enter() -> bool:
        with Target(address):
            return True

    waiting: LiteralString = (
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with ThreadPoolExecutor(1) as other:
        with Target(address):
            second = other.submit(enter)
            until(lambda: there(address, waiting), what="the second one to wait")
        assert second.result(60)


def test_a_daemon_that_begins_there_after_the_look_loses_nothing(
    filled: Path, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database was empty when it was looked at, and is not when its tables are to be filled."""
    standing = moving._standing

    def looking(*given: Any) -> str:
        found = standing(*given)
        if not there(address, "SELECT to_regclass('entries')")[0][0]:
            with PostgresStore(address) as other:
                service(other).set_intent("Mine", place=Place(cwd="/w/mine"))
        return found

    monkeypatch.setattr(moving, "_standing", looking)
    with pytest.raises(Conflict, match="holds another store"):
        moving.move(filled, address)
    assert there(address, "SELECT text FROM entries") == [("Mine",)]
    PostgresStore(address).close()  # and it is a store like any other


def test_who_holds_a_table_there_is_not_waited_for_for_ever(
    filled: Path, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    PostgresStore(address).close()
    with psycopg.connect(address.url) as somebody, monkeypatch.context() as impatient:
        impatient.setattr(target_module, "PATIENCE", 1)
        somebody.execute("SELECT count(*) FROM entries")  # and goes to lunch
        with pytest.raises(Unavailable, match="somebody else holds what is needed"):
            moving.move(filled, address)
    moving.move(filled, address)
    assert counted_there(address, filled) == everything(filled)


def test_again_changes_nothing(filled: Path, address: Address) -> None:
    moving.move(filled, address)
    again = moving.move(filled, address)
    assert again.known
    assert counted_there(address, filled) == everything(filled)


@pytest.mark.parametrize("point", ["moving:copied", "moving:committed", "moving:finished"])
def test_killed_in_the_middle_it_goes_on(filled: Path, address: Address, cli: Cli, point: str) -> None:
    """SIGKILL in a page, after one, and at the end, before it is a store."""
    killed = cli("migrate", "--to", address.url, ZDRIVER_NO_FORK="1", ZDRIVER_TEST_KILL=point)
    assert killed.returncode == -9
    with pytest.raises(Unavailable, match="not all of it is there yet"):
        PostgresStore(address)
    again = moving.move(filled, address)
    assert again.resumed
    assert counted_there(address, filled) == everything(filled)
    PostgresStore(address).close()


def test_killed_after_page_upon_page_it_still_gets_there(filled: Path, address: Address, cli: Cli) -> None:
    for _ in range(6):  # of some twenty
        killed = cli(
            "migrate", "--to", address.url, ZDRIVER_NO_FORK="1", ZDRIVER_TEST_KILL="moving:committed"
        )
        assert killed.returncode == -9
    assert moving.move(filled, address).resumed
    assert counted_there(address, filled) == everything(filled)


def test_what_was_written_after_a_kill_goes_along(filled: Path, address: Address, cli: Cli) -> None:
    cli("migrate", "--to", address.url, ZDRIVER_NO_FORK="1", ZDRIVER_TEST_KILL="moving:committed")
    with SqliteStore(filled) as store:
        service(store).set_intent("Written in between", place=Place(cwd="/w/between"))
    moved = moving.move(filled, address)
    assert not moved.resumed
    assert counted_there(address, filled) == everything(filled)


def test_what_was_written_since_goes_along_as_long_as_nobody_used_the_new_one(
    filled: Path, address: Address
) -> None:
    moving.move(filled, address)
    with SqliteStore(filled) as store:
        service(store).set_intent("Before storage.url was set", place=Place(cwd="/w/late"))
    moving.move(filled, address)
    assert counted_there(address, filled) == everything(filled)
    with PostgresStore(address) as moved:
        service(moved).set_intent("In use", place=Place(cwd="/w/new"))
    with SqliteStore(filled) as store:
        service(store).set_intent("Too late", place=Place(cwd="/w/late"))
    with pytest.raises(Conflict, match="was used already"):
        moving.move(filled, address)


def test_a_database_that_holds_something_else_is_refused(filled: Path, address: Address) -> None:
    with PostgresStore(address) as other:
        service(other).set_intent("Mine", place=Place(cwd="/w/mine"))
    before = counted_there(address, filled)
    with pytest.raises(Conflict, match="holds another store"):
        moving.move(filled, address)
    assert counted_there(address, filled) == before


def test_a_database_that_a_daemon_only_looked_at_is_taken(filled: Path, address: Address) -> None:
    PostgresStore(address).close()
    moving.move(filled, address)
    assert counted_there(address, filled) == everything(filled)


def test_a_dry_run_writes_nothing(filled: Path, address: Address) -> None:
    asked = moving.move(filled, address, dry_run=True)
    assert rows_of(asked) == everything(filled)
    assert there(address, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


def test_a_row_that_is_another_one_there_is_noticed(
    filled: Path, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would be wrong in copying: one character of one row."""
    page = source_module.Source.page

    def spoilt(self: source_module.Source, table: source_module.Table, *given: Any) -> list[Any]:
        rows = page(self, table, *given)
        return [(*row[:4], "spoilt", *row[5:]) for row in rows] if table.name == "worktrees" else rows

    monkeypatch.setattr(source_module.Source, "page", spoilt)
    with pytest.raises(Exception, match="not the same: worktrees"):
        moving.move(filled, address)
    with pytest.raises(Unavailable, match="not all of it is there yet"):
        PostgresStore(address)


def test_a_store_in_use_is_not_moved(filled: Path, address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "PATIENCE", 0.1)
    with SqliteStore(filled), pytest.raises(StoreInUse):
        moving.move(filled, address)


def test_there_is_nothing_to_move(tmp_path: Path, address: Address) -> None:
    with pytest.raises(NotFound):
        moving.move(tmp_path / "none.db", address)


def test_as_a_user_does_it(cli: Cli, home: Home, address: Address) -> None:
    """The daemon runs, is stopped, and goes on from PostgreSQL once that is set."""
    assert cli("intent", "Before", cwd=home.path).returncode == 0
    dry = cli("migrate", "--to", address.url, "--dry-run")
    assert "would be moved" in dry.stdout, dry.stderr
    done = cli("migrate", "--to", address.url)
    assert done.returncode == 0, done.stderr
    assert "moved and compared" in done.stdout
    assert "now set it" in done.stderr
    password = address.url.partition(":")[2].partition(":")[2].partition("@")[0]
    assert password
    assert password not in done.stderr + done.stdout
    shown = cli("intent", ZDRIVER_STORAGE_URL=address.url, cwd=home.path)
    assert shown.stdout.strip().startswith("Before"), shown.stderr


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("mysql://localhost/x", 5, "mysql://"),
        ("postgresql://nobody:x@127.0.0.1:1/x", 5, "storage.url"),
        ("nonsense", 5, "storage.url"),
    ],
)
def test_what_cannot_be_moved_to(cli: Cli, home: Home, url: str, code: int, said: str) -> None:
    assert cli("intent", "Mine", cwd=home.path).returncode == 0
    failed = cli("migrate", "--to", url)
    assert (failed.returncode, len(failed.stderr.strip().splitlines()) <= 2) == (code, True), failed.stderr
    assert said in failed.stderr


def test_sums_do_not_depend_on_order() -> None:
    def digest(value: object) -> str:
        return summed([("a", value)]).digest

    rows: list[tuple[Any, ...]] = [("a", 1, None), ("b", 2, b"\x00"), ("b", 2, b"\x00")]
    assert summed(rows) == summed(reversed(rows))
    assert len(set(map(digest, (None, "", "00", b"\x00", 0)))) == 5


def test_its_archive_goes_on(
    home: Home, address: Address, postgres_server: PostgreSql, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store keeps its id and its log, so the archive is told only what is new."""
    archive = postgres_server.database("goes_on")
    monkeypatch.setenv("ZDRIVER_ARCHIVE_URL", archive)
    with World(home.database, archive) as world:
        world.live(3)
        before = world.archiver.run().rows
        assert before.entries == 6
    moving.move(home.database, address)
    monkeypatch.setenv("ZDRIVER_STORAGE_URL", address.url)
    with PostgresStore(address) as store:
        archiver = Archiver(store, host="host", shown="…", interval=86_400)
        assert archiver.run().rows.total == 0
        service(store).set_intent("After it moved", place=Place(cwd="/w/after"))
        until(lambda: archiver.run().rows.entries, what="an event that is settled")
    with psycopg.connect(archive) as connection:
        assert connection.execute("SELECT count(*) FROM archive_entries").fetchone() == (7,)
    postgres_server.drop("goes_on")
