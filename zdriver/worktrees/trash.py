"""Files that a removal keeps: moved, never copied where a move is possible, and put back the same way.

A *zone* is a private folder on the file system of the worktrees it serves: `zdriver/` in the
repository's git folder, else `.zdriver/` beside the worktree. In it:

    removing/ID     the worktree while it is removed: renamed there whole, deleted from there
    recovering/ID/  a worktree that is being recovered, until it is whole
    trash/ID/       what a removal keeps, by its path in the worktree: `files/` (untracked, and
                    ignored ones that are not too large), `hidden/` (changes that git was told not
                    to see), `submodules/`; `folders` (see `trash_folders`); `admin/` is what git
                    knew of the worktree
"""

from __future__ import annotations

import contextlib
import errno
import filecmp
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from zdriver.core import paths, platform
from zdriver.core.errors import Conflict

FILES, HIDDEN, SUBMODULES, ADMIN = "files", "hidden", "submodules", "admin"
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
#: What git ignores is kept up to this size per file, and per folder that is ignored as a whole …
SMALL_FILES, SMALL_BYTES = 1000, 16 << 20
#: … and up to this size in all; of files as many as one folder may have.
ALL_BYTES = 128 << 20
_MOUNTS = Path("/proc/self/mountinfo")


# ---- places ---------------------------------------------------------------------------------


def zone(path: str, git_dir: str) -> Path:
    """The zone of a worktree at `path`, which need not be there. Nothing is made."""
    parent = standing(Path(path).parent)
    if parent.stat().st_dev == Path(git_dir).stat().st_dev:
        return Path(git_dir, "zdriver")
    return Path(path).parent / ".zdriver"


def beside(path: str) -> Path:
    """The zone that is on the same file system whatever is mounted where."""
    return Path(path).parent / ".zdriver"


def folder(zone: Path, kind: str, id_: str) -> Path:
    return zone / kind / id_


def is_ours(path: Path) -> bool:
    """Whether a path is one that this module made up: nothing else is ever deleted whole."""
    kinds = ("removing", "recovering", "trash")
    zones = ("zdriver", ".zdriver")
    return (
        _ID.fullmatch(path.name) is not None
        and path.parent.name in kinds
        and path.parent.parent.name in zones
        and path.is_absolute()
    )


def standing(path: Path) -> Path:
    """`path`, or what is there of it: the nearest folder above."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


# ---- moving ---------------------------------------------------------------------------------


def move(source: Path, target: Path) -> None:
    """By rename; onto another file system by a copy that is compared before the source goes.

    Raises FileExistsError when something is at `target`, and other OSErrors; the source is there
    then. Killed in between, doing it again finishes it.
    """
    paths.make_folders(target.parent)
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, "something is there already", str(target))
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_by_copy(source, target)


def _move_by_copy(source: Path, target: Path) -> None:
    half = target.with_name(f"{target.name}.zdriver-half")
    if os.path.lexists(half):  # of a run that was killed
        delete(half)
    try:
        copy(source, half)
        if not same(source, half):
            raise OSError(
                errno.EIO, "the copy differs from the file, which changes or cannot be read", str(source)
            )
        half.rename(target)
    except BaseException:
        with contextlib.suppress(OSError):
            delete(half)
        raise
    delete(source)


def copy(source: Path, target: Path) -> None:
    """A file, link or tree to a place where nothing is yet; a socket is left out. Raises OSError."""
    mode = source.lstat().st_mode
    if stat.S_ISLNK(mode):
        target.symlink_to(source.readlink())
    elif stat.S_ISDIR(mode):
        shutil.copytree(source, target, symlinks=True)
    elif stat.S_ISREG(mode):
        shutil.copy2(source, target)
        with target.open("rb") as copied:
            os.fsync(copied.fileno())
    elif stat.S_ISFIFO(mode):
        os.mkfifo(target, stat.S_IMODE(mode))
    # A socket has no content: without its process it is nothing.


def same(one: Path, other: Path) -> bool:
    """Whether two files, links or trees have the same content. Read again, never by date."""
    mode = one.lstat().st_mode
    if not os.path.lexists(other):
        return stat.S_ISSOCK(mode)
    if stat.S_IFMT(mode) != stat.S_IFMT(other.lstat().st_mode):
        return False
    if stat.S_ISLNK(mode):
        return one.readlink() == other.readlink()
    if stat.S_ISREG(mode):
        filecmp.clear_cache()
        return filecmp.cmp(one, other, shallow=False)
    if stat.S_ISDIR(mode):
        names = {each.name for each in one.iterdir()} | {each.name for each in other.iterdir()}
        return all(os.path.lexists(one / name) and same(one / name, other / name) for name in names)
    return True


def keep(
    top: Path, names: Iterable[str], into: Path, *, after_each: Callable[[], None] = lambda: None
) -> int:
    """Move `names` (relative to `top`) below `into`; how many there are now.

    A name that is not at `top` any more, but there already, was moved by a run that was killed.
    Raises OSError.
    """
    count = 0
    for name in names:
        source, target = _below(top, name), _below(into, name)
        if os.path.lexists(source):
            move(source, target)
            after_each()
        count += os.path.lexists(target)
    return count


def put_back(kept: Path, top: Path, *, after_each: Callable[[], None] = lambda: None) -> tuple[str, ...]:
    """Move all that lies in `kept` to the same places below `top`; what has something in its way there
    stays, and is named.
    """
    refused: list[str] = []
    if not kept.is_dir():
        return ()
    for path in list(_leaves(kept)):
        name = str(path.relative_to(kept))
        try:
            if os.path.lexists(top / name) and same(path, top / name):
                delete(path)
            else:
                move(path, top / name)
        except (FileExistsError, NotADirectoryError):
            refused.append(name)
        after_each()
    drop_empty(kept)
    return tuple(refused)


def _leaves(top: Path) -> Iterator[Path]:
    """Files and links below `top`, and folders that are repositories, as wholes."""
    for entry in sorted(os.scandir(top), key=lambda each: each.name):
        path = Path(entry.path)
        if not entry.is_dir(follow_symlinks=False) or os.path.lexists(path / ".git"):
            yield path
        else:
            yield from _leaves(path)


def drop_empty(top: Path) -> None:
    """Every folder below it without a file in it, and itself if that leaves it empty."""
    for where, _, _ in os.walk(top, topdown=False):
        with contextlib.suppress(OSError):
            Path(where).rmdir()


def _below(top: Path, name: str) -> Path:
    """Raises Conflict for a name that leads out of `top`: git never gives one."""
    parts = Path(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        raise Conflict(f"{name!r} is no path in the worktree", hint="report this as a defect of zdriver")
    return top.joinpath(*parts)


# ---- looking and deleting ---------------------------------------------------------------------


def worth_keeping(top: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Those of `names` (files and whole folders that git ignores) that may be somebody's own: what was built
    or downloaded is larger, or much. The smallest first.
    """
    sized = sorted((size, files, name) for name in names for files, size in _measured(top / name))
    kept, all_files, all_bytes = [], 0, 0
    for size, files, name in sized:
        all_files, all_bytes = all_files + files, all_bytes + size
        if all_files > SMALL_FILES or all_bytes > ALL_BYTES:
            break
        kept.append(name)
    return tuple(kept)


def _measured(path: Path) -> Iterator[tuple[int, int]]:
    """(files, bytes) of a file or folder, or nothing if it is too large or cannot be read."""
    files, size, waiting = 0, 0, [path]
    while waiting and files <= SMALL_FILES and size <= SMALL_BYTES:
        each = waiting.pop()
        try:
            found = each.lstat()
            if stat.S_ISDIR(found.st_mode):
                waiting.extend(each.iterdir())
        except OSError:
            return
        files += 1
        size += found.st_size if stat.S_ISREG(found.st_mode) else 0
    if files <= SMALL_FILES and size <= SMALL_BYTES:
        yield files, size


def survey(top: Path, names: Iterable[str]) -> tuple[int, tuple[str, ...]]:
    """(files, repositories) in `names` (relative to `top`; folders with all below). No link is followed."""
    files, repositories = 0, []
    waiting = [top / name for name in names]
    while waiting:
        path = waiting.pop()
        try:
            if not stat.S_ISDIR(path.lstat().st_mode):
                files += 1
                continue
            entries = list(os.scandir(path))
        except OSError:
            continue  # it went meanwhile, or is somebody else's
        if path != top and any(entry.name == ".git" for entry in entries):
            repositories.append(str(path.relative_to(top)))
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            else:
                files += 1
    return files, tuple(sorted(repositories))


def mounts(top: str) -> tuple[str, ...]:
    """Places at `top` or below it at which another file system is mounted, relative to `top`."""
    if not platform.LINUX:
        return (".",) if os.path.ismount(top) else ()
    try:
        text = _MOUNTS.read_text("utf-8", "surrogateescape")
    except OSError:
        return ()
    return parse_mounts(text, top)


def parse_mounts(text: str, top: str) -> tuple[str, ...]:
    """proc_pid_mountinfo(5): the fifth field is the mount point, space, tab, newline and \\ as octal."""
    found = []
    for line in text.splitlines():
        fields = line.split(" ")
        if len(fields) < 5:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        if point == top or point.startswith(top.rstrip("/") + "/"):
            found.append(os.path.relpath(point, top))
    return tuple(sorted(found))


def delete(path: Path) -> bool:
    """A file, link or whole tree; whether nothing of it is left. Links are not followed, nor is a
    mounted file system entered. Folders that may not be written (module caches) are made writable.
    """
    if not os.path.lexists(path):
        return True
    if not path.is_dir() or path.is_symlink():
        path.unlink()
        return True
    if mounts(str(path)):
        return False
    again = partial(_once_more, path)
    for _ in range(3):  # a process that still writes in it may add files while it goes
        shutil.rmtree(path, onerror=again)
        if not os.path.lexists(path):
            return True
    return False


def _once_more(top: Path, function: Callable[..., object], name: str, error: object) -> None:
    """rmtree could not do something: with the right to write in its folder it may. Raises nothing."""
    path = Path(name)
    with contextlib.suppress(OSError, RecursionError):
        for each in (path.parent, path):
            if each.is_relative_to(top) and each.is_dir() and not each.is_symlink():
                each.chmod(stat.S_IRWXU)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.lexists(path):
            path.unlink()
