"""Disks that are full, do not confirm, or can hold no store: it is said, and what was saved is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.stores import service, texts
from zdriver.context.model import Place
from zdriver.context.service import ContextService
from zdriver.core.errors import StorageFull, Unavailable, ZdriverError
from zdriver.storage.sqlite import SqliteStore
from zdriver.storage.sqlite.files import file_system, refuse_network
from zdriver.testing import until


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


_PRELUDE = """
import sys, threading
from pathlib import Path
import apsw
from tests.integration.stores import service
from zdriver.context.model import Place
from zdriver.core.errors import StorageFull, Unavailable
from zdriver.storage.sqlite import SqliteStore

class Disk(apsw.VFS):
    # Every file that SQLite opens is a `file`.
    def __init__(self, file):
        super().__init__("disk", "unix", makedefault=True)
        self.file = file
    def xOpen(self, name, flags):
        return self.file("unix", name, flags)
"""


def in_process(script: str, database: Path) -> subprocess.CompletedProcess[str]:
    """What the script prints, in a process of its own that it may spoil; its argument is the database."""
    command = [sys.executable, "-c", _PRELUDE + script, str(database)]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


_LIMITED = """
import json, resource, signal

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = SqliteStore(Path(sys.argv[1]), reserve=0)
contexts = service(store)
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
    done = in_process(_LIMITED, tmp_path / "zdriver.db")
    assert done.returncode == 0, done.stderr
    saved, said, found, now = json.loads(done.stdout)
    assert "full" in said
    assert found == saved
    assert now == "after"


_UNSYNCED = """
broken = False

class File(apsw.VFSFile):
    def xSync(self, flags):
        if broken:
            error = apsw.IOError("no sync")
            error.extendedresult = apsw.SQLITE_IOERR_FSYNC
            raise error
        super().xSync(flags)

disk = Disk(File)
store = SqliteStore(Path(sys.argv[1]))
contexts = service(store)
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
    done = in_process(_UNSYNCED, tmp_path / "zdriver.db")
    said = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert len(said) == 3
    assert "not known" in said[0]
    assert said[2] == "after"
    with SqliteStore(tmp_path / "zdriver.db") as store:
        assert texts(store) - {"unsure"} == {"before", "after"}


_SYNCED = """
waiting, synced = [], set()  # what was written to the log, and what of it is on the disk

class File(apsw.VFSFile):
    def __init__(self, vfs, name, flags):
        super().__init__(vfs, name, flags)
        self.is_log = bool(flags[0] & apsw.SQLITE_OPEN_WAL)
    def xWrite(self, data, offset):
        super().xWrite(data, offset)
        if self.is_log:
            waiting.append(bytes(data))
    def xSync(self, flags):
        begun = len(waiting)
        super().xSync(flags)
        if self.is_log:
            synced.update(waiting[:begun])
            del waiting[:begun]

disk = Disk(File)
store = SqliteStore(Path(sys.argv[1]))
contexts = service(store)
early = []

def save(k):
    for i in range(20):
        text = f"save {k} of {i} ends"
        contexts.record_milestone(text, place=Place(cwd=f"/w/{k}"))
        if not any(text.encode() in page for page in list(synced)):
            early.append(text)

threads = [threading.Thread(target=save, args=(k,)) for k in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(early), len(contexts.history(limit=1000)))
store.close()
"""


def test_nothing_is_acknowledged_before_it_is_on_the_disk(tmp_path: Path) -> None:
    """When a save returns, the page with its text was written to the log, and the log synced."""
    done = in_process(_SYNCED, tmp_path / "zdriver.db")
    assert (done.returncode, done.stdout) == (0, "0 160\n"), done.stderr


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
