"""Power cuts, full disks, other processes: what was acknowledged is there, what failed says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

from zdriver.context.model import Place
from zdriver.context.service import ContextService
from zdriver.core.errors import StorageFull, StoreInUse, StoreTooNew, Unavailable, ZdriverError
from zdriver.storage.catalog import migrations
from zdriver.storage.port import Reading, Row, Transaction
from zdriver.storage.sqlite import SqliteStore
from zdriver.storage.sqlite.files import file_system, refuse_network
from zdriver.storage.sqlite.migrating import migrate
from zdriver.testing import until

KILLS = 50


def service(store: SqliteStore) -> ContextService:
    return ContextService(store, host="host", roots=lambda folder: folder)


def texts(store: SqliteStore) -> set[str]:
    return {row["text"] for row in store.read(_everything)}


def _everything(tx: Reading) -> list[Row]:
    return tx.all("entry.history", before=2**63 - 1, since=0, repo="", below="", limit=1_000_000)


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


# ---- full disks ---------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """24 MiB that really fill up."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(path: Path, leave: int = 0) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
        if leave:
            file.truncate(max(0, path.stat().st_size - leave))


def test_a_full_disk_is_said_and_harms_nothing(small_disk: Path) -> None:
    with SqliteStore(small_disk / "zdriver.db") as store:
        contexts = service(store)
        place = Place(cwd="/w")
        first = contexts.set_intent("before", place=place)
        assert (small_disk / "zdriver.db.reserve").stat().st_size == 8 << 20
        fill(small_disk / "ballast")
        refused = _save_until_refused(contexts)
        assert "full" in refused.message
        # Everybody who waited together hears it, and nothing of theirs is there.
        failed = _save_at_once(contexts, 32)
        assert {type(error) for error in failed} == {StorageFull}
        assert not any(text.startswith("at once") for text in texts(store))
        assert first.text in texts(store)
        # What makes room still works: it may use the reserve.
        assert contexts.forget((first.id,)).intents == 1
        (small_disk / "ballast").unlink()
        assert contexts.set_intent("after", place=place).text == "after"
        assert (small_disk / "zdriver.db.reserve").exists()
    with SqliteStore(small_disk / "zdriver.db") as store:
        assert store.recovery() is None
        assert "after" in texts(store)


def _save_until_refused(contexts: ContextService) -> StorageFull:
    for i in range(20_000):
        try:
            contexts.set_intent(f"filling {i} " + "x" * 5000, place=Place(cwd="/w"))
        except StorageFull as error:
            return error
    raise AssertionError("the disk never filled up")


def _save_at_once(contexts: ContextService, count: int) -> list[ZdriverError]:
    failed: list[ZdriverError] = []

    def save(k: int) -> None:
        try:
            contexts.set_intent(f"at once {k}", place=Place(cwd=f"/w/{k}"))
        except ZdriverError as error:
            failed.append(error)

    threads = [threading.Thread(target=save, args=(k,)) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(failed) == count
    return failed


_LIMITED = """
import json, resource, signal, sys
from pathlib import Path
from zdriver.context.model import Place
from zdriver.context.service import ContextService
from zdriver.core.errors import StorageFull
from zdriver.storage.sqlite import SqliteStore

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = SqliteStore(Path(sys.argv[1]), reserve=0)
contexts = ContextService(store, host="host", roots=lambda folder: folder)
contexts.set_intent("before", place=Place(cwd="/w"))
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
saved = 0
try:
    while True:
        contexts.set_intent(f"filling {saved} " + "x" * 5000, place=Place(cwd="/w"))
        saved += 1
except StorageFull as error:
    said = error.message
resource.setrlimit(resource.RLIMIT_FSIZE, limits)
contexts.set_intent("after", place=Place(cwd="/w"))
found = len(contexts.history("filling", limit=1000))
print(json.dumps([saved, said, found, contexts.intent(place=Place(cwd="/w")).text]))
store.close()
"""


def test_a_limit_on_the_file_size_is_a_full_disk_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path / "zdriver.db")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    saved, said, found, now = json.loads(done.stdout)
    assert "full" in said
    assert found == saved
    assert now == "after"


_UNSYNCED = """
import sys
from pathlib import Path
import apsw
from zdriver.context.model import Place
from zdriver.context.service import ContextService
from zdriver.core.errors import Unavailable
from zdriver.storage.sqlite import SqliteStore

broken = False

class File(apsw.VFSFile):
    def xSync(self, flags):
        if broken:
            error = apsw.IOError("no sync")
            error.extendedresult = apsw.SQLITE_IOERR_FSYNC
            raise error
        super().xSync(flags)

class Disk(apsw.VFS):
    def __init__(self):
        super().__init__("disk", "unix", makedefault=True)
    def xOpen(self, name, flags):
        return File("unix", name, flags)

disk = Disk()
store = SqliteStore(Path(sys.argv[1]))
contexts = ContextService(store, host="host", roots=lambda folder: folder)
contexts.set_intent("before", place=Place(cwd="/w"))
broken = True
for _ in range(2):
    try:
        contexts.set_intent("unsure", place=Place(cwd="/w"))
    except Unavailable as error:
        print(error.message)
broken = False
print(contexts.set_intent("after", place=Place(cwd="/w")).text)
store.close()
"""


def test_a_disk_that_does_not_confirm(tmp_path: Path) -> None:
    """fsync fails: nobody is told that it was saved, the store is opened anew, and then it works."""
    done = subprocess.run(
        [sys.executable, "-c", _UNSYNCED, str(tmp_path / "zdriver.db")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert len(said) == 3
    assert "not known" in said[0]
    assert said[2] == "after"
    with SqliteStore(tmp_path / "zdriver.db") as store:
        assert texts(store) - {"unsure"} == {"before", "after"}


# ---- places where no store can be -----------------------------------------------------------


def test_a_file_system_without_a_right_to_write(tmp_path: Path) -> None:
    """Read-only for everybody, root too."""
    folder = tmp_path / "readonly"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)], check=True)
    try:
        with pytest.raises(Unavailable) as refused:
            SqliteStore(folder / "zdriver.db")
        assert str(folder) in refused.value.message
        assert "right to write" in refused.value.hint
        with pytest.raises(Unavailable):
            SqliteStore(folder / "below" / "zdriver.db")
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="folder"):
        SqliteStore(tmp_path / "file" / "zdriver.db")


def test_network_file_systems_are_refused(tmp_path: Path) -> None:
    mounts = (
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        "23 22 0:40 / /home rw - nfs4 server:/home rw\n"
        "24 23 8:2 / /home/me/my\\040disk rw - ext4 /dev/sdb1 rw\n"
        "25 22 0:41 / /mnt/s rw - fuse.sshfs host: rw\n"
    )
    assert file_system("/home/me", mounts) == "nfs4"
    assert file_system("/homestead", mounts) == "ext4"
    assert file_system("/home/me/my disk/x", mounts) == "ext4"
    for folder in ("/home/me/.local/share/zdriver", "/mnt/s"):
        with pytest.raises(Unavailable, match="network file system"):
            refuse_network(Path(folder), mounts)
    refuse_network(Path("/var"), mounts)
    refuse_network(tmp_path)


def test_files_are_the_users_alone(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        with SqliteStore(tmp_path / "new" / "deeper" / "zdriver.db") as store:
            service(store).set_intent("mine", place=Place(cwd="/w"))
            until(lambda: list((tmp_path / "new" / "deeper" / "backups").glob("*.db")), what="the daily copy")
            folder = tmp_path / "new" / "deeper"
            modes = {
                str(path.relative_to(tmp_path)): oct(path.stat().st_mode & 0o777)
                for path in (tmp_path / "new", *(tmp_path / "new").rglob("*"))
            }
    finally:
        os.umask(umask)
    assert {modes[name] for name in modes if (tmp_path / name).is_dir()} == {"0o700"}
    assert {mode for name, mode in modes.items() if not (tmp_path / name).is_dir()} == {"0o600"}
    assert str((folder / "zdriver.db-wal").relative_to(tmp_path)) in modes


# ---- other versions ---------------------------------------------------------------------------


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
