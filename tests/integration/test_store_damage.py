"""Damaged databases: kept aside under another name, recovered as far as they can be read, told."""

from __future__ import annotations

import random
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import msgspec
import pytest

from tests.integration.stores import service, texts
from zdriver.context.model import Place
from zdriver.core.clock import now_us
from zdriver.core.errors import StoreInUse
from zdriver.storage.sqlite import SqliteStore
from zdriver.storage.sqlite.recovery import Recovery
from zdriver.testing import until

ENTRIES = 1200
PAGE = 4096
ALL = {f"step {i} of the way" for i in range(ENTRIES)}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with some hundred pages, closed properly."""
    path = tmp_path_factory.mktemp("original") / "zdriver.db"
    with SqliteStore(path) as store:
        contexts = service(store)

        def save(k: int) -> None:
            for i in range(k, ENTRIES, 16):
                contexts.record_milestone(f"step {i} of the way", place=Place(cwd=f"/w/{k}"))

        threads = [threading.Thread(target=save, args=(k,)) for k in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    assert path.stat().st_size > 100 * PAGE
    return path


@pytest.fixture
def path(original: Path, tmp_path: Path) -> Path:
    """A copy of it, alone: no backups beside it."""
    copy = tmp_path / "zdriver.db"
    copy.write_bytes(original.read_bytes())
    return copy


def pages_of(path: Path, table: str) -> list[int]:
    """Numbers of the leaf pages of a table."""
    connection = apsw.Connection(str(path))
    try:
        return [
            row[0]
            for row in connection.execute(
                "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path", (table,)
            )
        ]
    finally:
        connection.close()


def overwrite(path: Path, at: int, with_: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(with_)


def garbage(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def recovered(path: Path, damaged: bytes) -> tuple[set[str], Recovery]:
    """Open, check that the store works and that the damaged file was kept; what it has and says."""
    with SqliteStore(path) as store:
        found = texts(store)
        notice = store.recovery()
        assert notice is not None
        assert Path(notice.kept).read_bytes() == damaged
        contexts = service(store)
        contexts.set_intent("it goes on", place=Place(cwd="/new"))
        assert [entry.text for entry in contexts.history("it goes")] == ["it goes on"]
        if found:
            some = sorted(found)[0]
            assert some in [entry.text for entry in contexts.history(some, limit=1000)]
    with SqliteStore(path) as store:
        # Told until somebody said that it was seen; not recovered a second time.
        assert store.recovery() == notice
        store.recovery_seen()
        assert store.recovery() is None
        assert "it goes on" in texts(store)
    return found, notice


def test_a_garbage_page_costs_only_what_was_on_it(path: Path) -> None:
    leaves = pages_of(path, "entries")
    overwrite(path, (leaves[len(leaves) // 2] - 1) * PAGE, garbage(PAGE))
    found, notice = recovered(path, path.read_bytes())
    lost = ALL - found
    assert 0 < len(lost) < 80
    assert found < ALL
    assert "entries" in notice.incomplete
    assert notice.kept in notice.message()
    assert "\n" not in notice.message()


def test_several_garbage_pages(path: Path) -> None:
    leaves = pages_of(path, "entries")
    for leaf in leaves[2::4]:
        overwrite(path, (leaf - 1) * PAGE, garbage(PAGE, leaf))
    found, _ = recovered(path, path.read_bytes())
    assert len(found) > ENTRIES / 2


def test_a_damaged_search_index_costs_nothing(path: Path) -> None:
    for leaf in pages_of(path, "search_data"):
        overwrite(path, (leaf - 1) * PAGE, garbage(PAGE, leaf))
    found, _ = recovered(path, path.read_bytes())
    assert found == ALL


def test_a_damaged_index_costs_nothing(path: Path) -> None:
    for leaf in pages_of(path, "entries_context"):
        overwrite(path, (leaf - 1) * PAGE, garbage(PAGE, leaf))
    found, _ = recovered(path, path.read_bytes())
    assert found == ALL


def test_lost_contexts_do_not_take_their_entries_along(path: Path) -> None:
    for leaf in pages_of(path, "contexts"):
        overwrite(path, (leaf - 1) * PAGE, garbage(PAGE, leaf))
    found, notice = recovered(path, path.read_bytes())
    assert found == ALL
    assert "contexts" in notice.incomplete


@pytest.mark.parametrize("size", [100, PAGE], ids=["header", "first page"])
@pytest.mark.parametrize("with_", [bytes, garbage], ids=["zeros", "garbage"])
def test_without_its_first_page(path: Path, size: int, with_: Callable[[int], bytes]) -> None:
    overwrite(path, 0, with_(size))
    found, _ = recovered(path, path.read_bytes())
    assert found == ALL


@pytest.mark.parametrize("which", [0, -1])
def test_without_a_page_of_its_schema(path: Path, which: int) -> None:
    """SQLite then refuses to prepare any statement, though every row is there."""
    leaf = pages_of(path, "sqlite_schema")[which]
    overwrite(path, (leaf - 1) * PAGE, garbage(PAGE, leaf))
    found, _ = recovered(path, path.read_bytes())
    assert found == ALL


def test_a_truncated_file(path: Path) -> None:
    damaged = path.read_bytes()[: path.stat().st_size // 2 // PAGE * PAGE + 100]
    path.write_bytes(damaged)
    found, _ = recovered(path, damaged)
    assert len(found) > ENTRIES / 4


def test_a_file_of_garbage(path: Path) -> None:
    path.write_bytes(garbage(200_000))
    found, notice = recovered(path, garbage(200_000))
    assert found == set()
    assert notice.rows == 0


@pytest.mark.parametrize("damaged", [b"", bytes(100_000)], ids=["empty", "zeros"])
def test_a_zero_file_is_filled_from_the_backup(original: Path, tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "zdriver.db"
    path.write_bytes(original.read_bytes())
    with SqliteStore(path) as store:
        service(store).set_intent("the daily copy has this too", place=Place(cwd="/w"))
        until(lambda: list((tmp_path / "backups").glob("daily-*.db")), what="the daily copy")
    path.write_bytes(damaged)
    found, notice = recovered(path, damaged)
    assert found == ALL | {"the daily copy has this too"}
    assert notice.backup
    assert notice.from_backup == notice.rows > ENTRIES


def test_rows_of_a_garbage_page_come_from_the_backup(original: Path, tmp_path: Path) -> None:
    path = tmp_path / "zdriver.db"
    path.write_bytes(original.read_bytes())
    with SqliteStore(path) as store:
        service(store).set_intent("first", place=Place(cwd="/w"))
        until(lambda: list((tmp_path / "backups").glob("daily-*.db")), what="the daily copy")
        service(store).set_intent("only in the damaged file", place=Place(cwd="/w"))
    leaves = pages_of(path, "entries")
    overwrite(path, (leaves[1] - 1) * PAGE, garbage(PAGE))
    found, notice = recovered(path, path.read_bytes())
    assert found == ALL | {"first", "only in the damaged file"}
    assert 0 < notice.from_backup < 200


def _killed(original: Path, path: Path) -> bytes:
    """Database and log as SIGKILL leaves them; the log's bytes."""
    path.write_bytes(original.read_bytes())
    with SqliteStore(path) as store:
        for i in range(5):
            service(store).set_intent(f"in the log {i}", place=Place(cwd="/w"))
        database, log = path.read_bytes(), path.with_name("zdriver.db-wal").read_bytes()
    path.write_bytes(database)
    path.with_name("zdriver.db-wal").write_bytes(log)
    for copy in (path.parent / "backups").glob("*"):
        copy.unlink()
    return log


def test_a_log_left_by_a_kill_is_no_damage(original: Path, tmp_path: Path) -> None:
    path = tmp_path / "zdriver.db"
    _killed(original, path)
    with SqliteStore(path) as store:
        assert store.recovery() is None
        assert texts(store) == ALL | {f"in the log {i}" for i in range(5)}


def test_a_torn_last_transaction_is_no_damage(original: Path, tmp_path: Path) -> None:
    path = tmp_path / "zdriver.db"
    log = _killed(original, path)
    path.with_name("zdriver.db-wal").write_bytes(log[:-1000])
    with SqliteStore(path) as store:
        assert store.recovery() is None
        assert texts(store) > ALL


@pytest.mark.parametrize("at", [0, 32 + 24 + 2000], ids=["header", "first frame"])
def test_a_garbage_log_is_kept_and_told(original: Path, tmp_path: Path, at: int) -> None:
    """SQLite itself would drop it without a word."""
    path = tmp_path / "zdriver.db"
    log = _killed(original, path)
    damaged = log[:at] + garbage(64) + log[at + 64 :]
    path.with_name("zdriver.db-wal").write_bytes(damaged)
    found, notice = recovered(path, damaged)
    assert found >= ALL
    assert "log" in notice.reason


def test_a_log_of_garbage_only(original: Path, tmp_path: Path) -> None:
    path = tmp_path / "zdriver.db"
    path.write_bytes(original.read_bytes())
    path.with_name("zdriver.db-wal").write_bytes(garbage(50_000))
    found, _ = recovered(path, garbage(50_000))
    assert found == ALL


def test_damage_found_while_running_is_recovered_at_once(original: Path, tmp_path: Path) -> None:
    """A page goes bad under an open store: a read and a write that meet it both succeed."""
    path = tmp_path / "zdriver.db"
    path.write_bytes(original.read_bytes())
    with SqliteStore(path) as store:
        contexts = service(store)
        for leaf in pages_of(path, "entries_context")[1:]:
            overwrite(path, (leaf - 1) * PAGE, garbage(PAGE, leaf))
        found = [contexts.milestones(place=Place(cwd=f"/w/{k}"), limit=1000) for k in range(16)]
        assert {one.text for many in found for one in many} == ALL
        notice = store.recovery()
        assert notice is not None
        assert Path(notice.kept).exists()
        contexts.set_intent("it goes on", place=Place(cwd="/w/1"))
    with SqliteStore(path) as store:
        assert texts(store) == ALL | {"it goes on"}


def test_a_write_meets_the_damage_first(original: Path, tmp_path: Path) -> None:
    path = tmp_path / "zdriver.db"
    path.write_bytes(original.read_bytes())
    with SqliteStore(path) as store:
        for leaf in pages_of(path, "entries")[-1:] + pages_of(path, "requests")[-1:]:
            overwrite(path, (leaf - 1) * PAGE, garbage(PAGE, leaf))
        # Another program writes, so that the store has to read its pages again.
        stranger = apsw.Connection(str(path))
        stranger.execute("PRAGMA user_version = 7")
        stranger.close()
        assert service(store).set_intent("saved all the same", place=Place(cwd="/w/1")).text
        assert store.recovery() is not None
    with SqliteStore(path) as store:
        assert "saved all the same" in texts(store)


def test_a_removed_database_is_not_brought_back(original: Path, tmp_path: Path) -> None:
    """Whoever removes the file under a running daemon means it: what follows goes into a new one."""
    path = tmp_path / "zdriver.db"
    path.write_bytes(original.read_bytes())
    with SqliteStore(path) as store:
        service(store).set_intent("to be gone", place=Place(cwd="/w"))
        path.unlink()
        assert texts(store) == set()
        service(store).set_intent("new life", place=Place(cwd="/w"))
        assert texts(store) == {"new life"}
        path.unlink()
        service(store).set_intent("third life", place=Place(cwd="/w"))
        assert texts(store) == {"third life"}
    with SqliteStore(path) as store:
        assert texts(store) == {"third life"}


def test_a_removed_folder_is_made_again_and_owned(original: Path, tmp_path: Path) -> None:
    """README: the history stays until the folder is deleted. A daemon may run then."""
    path = tmp_path / "data" / "zdriver.db"
    path.parent.mkdir()
    path.write_bytes(original.read_bytes())
    with SqliteStore(path) as store:
        service(store).set_intent("to be gone", place=Place(cwd="/w"))
        path.parent.rename(tmp_path / "gone")  # at once, whatever a backup is writing there
        assert texts(store) == set()
        service(store).set_intent("new life", place=Place(cwd="/w"))
        with pytest.raises(StoreInUse):
            SqliteStore(path)
        assert texts(store) == {"new life"}
    with SqliteStore(path) as store:
        assert texts(store) == {"new life"}


def test_a_recovery_cut_short_is_finished(path: Path) -> None:
    """Power cut after the mark was written, and after the files were moved."""
    leaves = pages_of(path, "entries")
    overwrite(path, (leaves[3] - 1) * PAGE, garbage(PAGE))
    damaged = path.read_bytes()
    mark = path.with_name("zdriver.db.recovering")
    mark.write_bytes(msgspec.json.encode({"stamp": "20260101T000000Z", "reason": "it was damaged"}))
    path.rename(path.with_name("zdriver.db.damaged-20260101T000000Z"))
    found, notice = recovered(path, damaged)
    assert notice.reason == "it was damaged"
    assert len(found) > ENTRIES / 2
    assert not mark.exists()


def test_a_mark_cut_short(path: Path) -> None:
    path.with_name("zdriver.db.recovering").write_bytes(b'{"sta')
    found, _ = recovered(path, path.read_bytes())
    assert found == ALL


def test_three_daily_backups_are_kept(tmp_path: Path) -> None:
    ahead = 0

    def clock() -> int:
        return now_us() + ahead

    backups = tmp_path / "backups"
    with SqliteStore(tmp_path / "zdriver.db", clock=clock) as store:
        seen: frozenset[str] = frozenset()
        for day in range(6):
            ahead = day * 25 * 3600 * 1_000_000

            def copied(day: int = day, seen: frozenset[str] = seen) -> set[str]:
                # The copy begins behind a write, once the one of the day before is done.
                service(store).set_intent(f"day {day}", place=Place(cwd="/w"))
                service(store).clear_intent(place=Place(cwd="/w"))
                return {path.name for path in backups.glob("daily-*.db")} - seen

            seen = seen | until(copied, what="the copy of the day")
    assert len(list(backups.glob("daily-*.db"))) == 3
    newest = max(backups.glob("daily-*.db"))
    with SqliteStore(newest) as store:
        assert "day 5" in texts(store)


def test_a_store_is_a_plain_sqlite_file(path: Path) -> None:
    """`file` and others know it by its application id."""
    assert struct.unpack_from(">I", path.read_bytes(), 68)[0] == 0x7A647276
