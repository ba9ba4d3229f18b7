"""Other programs' files, replaced whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

from zdriver.core.errors import Conflict, InvalidInput, StorageFull, Unavailable, ZdriverError

_READ_ONLY = "it is read-only, or its folder is"


def read_bytes(path: Path) -> bytes | None:
    """The file's content, None when there is none. Raises InvalidInput when it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read: {error.strerror}", hint="mend that and try again"
        ) from error


def read_text(path: Path) -> str | None:
    """The same as text, line ends kept. Raises InvalidInput."""
    content = read_bytes(path)
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text", hint="convert it with iconv and try again") from error


def is_writable(path: Path) -> bool:
    """Whether `replace` may write: a file without any write bit is not, even for root."""
    real = path.resolve()
    try:
        found = real.stat()
    except FileNotFoundError:
        folder = real.parent
        while not folder.exists():
            folder = folder.parent
        return os.access(folder, os.W_OK)
    writable = bool(stat.S_IMODE(found.st_mode) & 0o222) and os.access(real, os.W_OK)
    return writable and os.access(real.parent, os.W_OK)


def replace(path: Path, content: bytes, *, expected: bytes | None, mode: int = 0o644) -> None:
    """Make `content` the file's, durably; symbolic links are followed, mode and owner kept.

    expected  what the file held when the caller read it, None: there was none
    mode      of a new file

    Raises Conflict when it holds something else by now, Unavailable when it cannot be written.
    """
    real = path.resolve()
    if not is_writable(real):
        raise Unavailable(
            f"{path} cannot be written: {_READ_ONLY}", hint="see `zdriver setup zellij --print`"
        )
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        temporary = _written(real, content, mode)
        try:
            if read_bytes(real) != expected:
                raise Conflict(f"{path} changed meanwhile", hint="try again")
            temporary.replace(real)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(real.parent)
    except OSError as error:
        raise _as_ours(path, error) from error


def _written(real: Path, content: bytes, mode: int) -> Path:
    """A synced temporary file beside `real`, with its mode and owner."""
    fd, name = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
    temporary = Path(name)
    try:
        with os.fdopen(fd, "wb") as file:
            with contextlib.suppress(FileNotFoundError):
                found = real.stat()
                mode = stat.S_IMODE(found.st_mode)
                if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), found.st_uid, found.st_gid)
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _as_ours(path: Path, error: OSError) -> ZdriverError:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"{path} cannot be written: the disk is full", hint="make room and try again")
    return Unavailable(
        f"{path} cannot be written: {error.strerror}", hint="see `zdriver setup zellij --print`"
    )
