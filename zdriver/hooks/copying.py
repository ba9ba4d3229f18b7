"""Untracked files of the trunk into a worktree: by reflink where the file system can, else by copying.

Nothing that is there is ever written over, a link stays a link, and no path leaves the worktree:
every folder on the way is opened from the one above it without following links.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator

import msgspec

#: ioctl(2) FICLONE of <linux/fs.h>: both files share their blocks until one is changed.
_FICLONE = 0x40049409
#: A file being written. What a killed copy left of it is taken away by the next one.
PART = ".zdriver-part"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    count: int  #: files and links that were made
    warnings: tuple[str, ...] = ()


def copy_files(source: str, target: str, paths: Iterable[str]) -> Copied:
    """Each of `paths` (relative, as git lists them) from the folder `source` to the folder `target`.

    A file that cannot be copied is a warning. Raises OSError when a folder cannot be opened.
    """
    count, warnings = 0, []
    with _opened(source) as above, _opened(target) as below:
        for path in paths:
            try:
                count += _copy(above, below, path)
            except OSError as error:
                warnings.append(f"{path} was not copied: {error.strerror}")
                if error.errno in _FULL:
                    warnings.append(
                        "the files after it were left out; make room, then: zdriver worktree repair"
                    )
                    break
    return Copied(count=count, warnings=tuple(warnings))


def _copy(above: int, below: int, path: str) -> bool:
    """Whether it was made. Raises OSError."""
    *folders, name = path.split("/")
    if {"", ".", ".."} & {name, *folders}:  # "folder/" is a repository of its own
        return False
    with _entered(above, folders) as here:
        found = os.stat(name, dir_fd=here, follow_symlinks=False)
        if not (stat.S_ISLNK(found.st_mode) or stat.S_ISREG(found.st_mode)):
            return False
        with _entered(below, folders, like=above) as there:
            _remove(there, PART)
            if _exists(there, name):
                return False
            try:
                if stat.S_ISLNK(found.st_mode):
                    os.symlink(os.readlink(name, dir_fd=here), name, dir_fd=there)
                else:
                    _write(here, there, name)
            except FileExistsError:  # somebody was quicker
                return False
    return True


def _write(here: int, there: int, name: str) -> None:
    """The whole file or none: it gets its name only when it is complete."""
    try:
        with (
            open(name, "rb", opener=_at(here, os.O_NOFOLLOW)) as source,
            open(PART, "xb", opener=_at(there)) as target,
        ):
            _fill(source.fileno(), target.fileno())
            found = os.fstat(source.fileno())
            os.fchmod(target.fileno(), stat.S_IMODE(found.st_mode) & 0o777)
            os.utime(target.fileno(), ns=(found.st_atime_ns, found.st_mtime_ns))
        os.link(PART, name, src_dir_fd=there, dst_dir_fd=there, follow_symlinks=False)
    finally:
        _remove(there, PART)


def _fill(source: int, target: int) -> None:
    """All of `source` into the new file `target`. Both calls do without Python's lock."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:  # another disk, or a file system that cannot
        with os.fdopen(os.dup(source), "rb") as reader, os.fdopen(os.dup(target), "wb") as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)


# -- folders -------------------------------------------------------------------------------


@contextlib.contextmanager
def _opened(path: str, *, at: int | None = None) -> Iterator[int]:
    fd = os.open(path, _FOLDER if at is not None else _FOLDER & ~os.O_NOFOLLOW, dir_fd=at)
    try:
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def _entered(top: int, folders: list[str], *, like: int | None = None) -> Iterator[int]:
    """The folder `folders` below `top`; with `like`, what is missing is made with the modes found there."""
    with contextlib.ExitStack() as stack:
        here, model = top, like
        for folder in folders:
            if model is not None:
                model = stack.enter_context(_opened(folder, at=model))
                with contextlib.suppress(FileExistsError):
                    os.mkdir(folder, stat.S_IMODE(os.fstat(model).st_mode) | stat.S_IRWXU, dir_fd=here)
            here = stack.enter_context(_opened(folder, at=here))
        yield here


def _at(folder: int, flags: int = 0) -> Callable[[str, int], int]:
    return lambda name, mode: os.open(name, mode | flags | os.O_CLOEXEC, 0o600, dir_fd=folder)


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _remove(folder: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
