"""The files of one store, and what the file system must give them."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from zdriver.core import paths
from zdriver.core.errors import Unavailable

#: File systems on which SQLite's locks and shared memory are not to be trusted.
NETWORK = re.compile(
    r"^(nfs\d?|cifs|smb\w*|9p|afs|ceph|coda|ncpfs|gfs2?|gpfs|lustre|beegfs|glusterfs|ocfs2|davfs"
    r"|fuse\.(sshfs|glusterfs|ceph\w*|s3fs|rclone|davfs|smbnetfs|curlftpfs|gcsfuse|juicefs))$"
)


class StoreFiles:
    """Paths: the database and what lies beside it."""

    def __init__(self, database: Path) -> None:
        # Links resolved: SQLite keeps the log beside the file itself.
        self.database = Path(os.path.realpath(database))
        self._text = str(self.database)
        self.folder = self.database.parent
        self.wal = self._beside("-wal")
        self.shm = self._beside("-shm")
        self.lock = self._beside(".lock")
        self.reserve = self._beside(".reserve")
        self.backups = self.folder / "backups"
        self.recovering = self._beside(".recovering")
        self.fresh = self._beside(".new")

    def _beside(self, ending: str) -> Path:
        return self.database.with_name(self.database.name + ending)

    def aside(self, stamp: str) -> Path:
        """Where a damaged database is kept; its log and shared memory beside it."""
        return self._beside(f".damaged-{stamp}")

    def kept_aside(self) -> list[Path]:
        """All that was kept of damaged databases and logs."""
        return sorted(self.folder.glob(f"{self.database.name}.damaged-*"))

    def make_folder(self) -> None:
        """The folder with mode 0700, its parents on disk. Raises Unavailable."""
        try:
            make_private(self.folder)
        except OSError as error:
            raise Unavailable(
                f"cannot make the folder {self.folder}: {error.strerror}",
                hint="make it by hand, or name another one as storage.path in the configuration",
            ) from error

    def make_database(self) -> None:
        """An empty file of mode 0600, unless there is one. Raises OSError."""
        if not self.database.exists():
            os.close(os.open(self.database, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            sync_folder(self.folder)

    def check_rights(self) -> None:
        """That each file may be read and written: SQLite does not say which one may not.

        Raises Unavailable.
        """
        for file in (self.database, self.wal, self.shm):
            # Not by opening it: closing the file again would take SQLite's locks away.
            if file.exists() and not os.access(file, os.R_OK | os.W_OK):
                mounted = os.statvfs(file).f_flag & os.ST_RDONLY
                number = errno.EROFS if mounted else errno.EACCES
                raise paths.unwritable(file, OSError(number, os.strerror(number)))

    def identity(self) -> tuple[int, int] | None:
        """Device and inode of the database now at its path, or None."""
        try:
            found = os.stat(self._text)  # noqa: PTH116 at every read and write
        except OSError:
            return None
        return found.st_dev, found.st_ino


def make_private(folder: Path) -> None:
    """Make `folder` (0700) and what is missing above it; sync each parent. Raises OSError."""
    missing = []
    above = folder
    while not above.exists():
        missing.append(above)
        above = above.parent
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        sync_folder(path.parent)
    if not folder.is_dir():
        raise NotADirectoryError(20, "it is not a folder", str(folder))


def sync_folder(folder: Path) -> None:
    """Make names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refuse_network(folder: Path, mounts: str | None = None) -> None:
    """Raise Unavailable when `folder` lies on a network file system.

    `mounts` is the text of /proc/self/mountinfo (proc(5)); where there is none nothing is known
    and nothing is refused.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape")
        except OSError:
            return
    kind = file_system(str(folder), mounts)
    if NETWORK.match(kind):
        raise Unavailable(
            f"{folder} is on a network file system ({kind}), which SQLite's locks do not survive",
            hint="name a folder on a local disk as storage.path in the configuration",
        )


def file_system(path: str, mounts: str) -> str:
    """The type of the file system that holds the absolute `path`; "" when unknown."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        columns = fields.split(" ")
        if len(columns) < 5 or not rest:
            continue
        point = _unescape(columns[4])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        # A later mount at the same point hides an earlier one.
        if inside and len(point) >= best:
            best, kind = len(point), rest.split(" ")[0]
    return kind


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
