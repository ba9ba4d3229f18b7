"""Which of some paths git tracks in a worktree: read from its index, without a process where that can be.

The index is gitformat-index(5): a header of 12 bytes, then entries. Versions 2 and 3 hold each path
whole and end it by NUL, so that a path whose bytes are nowhere in the file is not tracked. Version 4,
a split or sparse index, and one of SHA-256 are left to git.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from functools import cache

from zdriver.core.errors import Unavailable, ZdriverError

_HEADER = struct.Struct(">4sII")
_FIXED = 62  #: bytes of an entry before its path, the two of the flags last
_EXTENDED, _LENGTH = 0x4000, 0xFFF
#: Up to so many paths are looked for by their bytes; more are looked up in a list of all.
_FEW = 8


def tracked(worktree: str, paths: Iterable[str]) -> set[str]:
    """Those that git tracks in `worktree` (absolute): themselves, something below, or as a folder that
    is a file to git. Paths are relative to it. Raises Unavailable.
    """
    wanted = list(paths)
    if not wanted:
        return set()
    folder = git_folder(worktree)
    try:
        with open(f"{folder}/index", "rb", buffering=0) as file:
            data = file.read()
    except FileNotFoundError:
        return set()  # no file was ever added
    except OSError as error:
        raise Unavailable(f"{folder}/index cannot be read: {error.strerror}") from error
    if not _plain(data, folder):
        return _ask(worktree, wanted)
    if len(wanted) <= _FEW and not any(_may_have(data, path) for path in wanted):
        return set()
    try:
        names = set(_names(data))
    except (struct.error, ValueError):
        return _ask(worktree, wanted)
    return _matching(names, wanted)


def git_folder(worktree: str) -> str:
    """The git folder of one worktree: gitrepository-layout(5). Raises Unavailable."""
    path = f"{worktree}/.git"
    try:
        with open(path, "rb", buffering=0) as file:
            text = os.fsdecode(file.read(8192)).strip()
    except IsADirectoryError:
        return path
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be read: {error.strerror}",
            hint="zdriver worktree repair mends what can be mended",
        ) from error
    if not text.startswith("gitdir:"):
        raise Unavailable(f"{path} is none of git's", hint="git worktree repair mends it")
    return os.path.normpath(os.path.join(worktree, text.removeprefix("gitdir:").strip()))


def _plain(data: bytes, folder: str) -> bool:
    """Whether the index can be read here."""
    if len(data) < _HEADER.size:
        return False
    magic, version, _ = _HEADER.unpack_from(data)
    if magic != b"DIRC" or version not in (2, 3) or data.rfind(b"sdir\0") >= 0:
        return False
    # The signature of a split index, or a file whose name ends so.
    if data.rfind(b"link\0") >= 0 and any(name.startswith("sharedindex.") for name in os.listdir(folder)):
        return False
    # A linked worktree's is REPOSITORY/worktrees/NAME.
    above, _, _ = folder.rpartition("/worktrees/")
    return _has_sha1(above or folder) or (bool(above) and _has_sha1(folder))


@cache
def _has_sha1(git_dir: str) -> bool:
    """A repository keeps the hash it was made with."""
    try:
        with open(f"{git_dir}/config", "rb") as file:
            return b"objectformat" not in file.read().lower()
    except OSError:
        return False


def _may_have(data: bytes, path: str) -> bool:
    name = os.fsencode(path)
    if data.find(name + b"\0") >= 0 or data.find(name + b"/") >= 0:
        return True
    above = name.split(b"/")[:-1]
    # A folder's name alone is in the index of many: followed by NUL it is a file's.
    return any(data.find(b"/".join(above[: n + 1]) + b"\0") >= 0 for n in range(len(above)))


def _names(data: bytes) -> Iterator[bytes]:
    """Raises struct.error or ValueError when the file is cut off."""
    _, _, count = _HEADER.unpack_from(data)
    at = _HEADER.size
    for _ in range(count):
        (flags,) = struct.unpack_from(">H", data, at + _FIXED - 2)
        start = at + _FIXED + (2 if flags & _EXTENDED else 0)
        length = flags & _LENGTH
        end = data.index(b"\0", start) if length == _LENGTH else start + length
        yield data[start:end]
        at += (end - at + 8) & ~7  # 1 to 8 bytes of NUL, to a multiple of 8


def _matching(names: set[bytes], wanted: list[str]) -> set[str]:
    folders = {name[:at] for name in names for at in _slashes(name)}
    found = set()
    for path in wanted:
        name = os.fsencode(path)
        if name in names or name in folders or any(name[:at] in names for at in _slashes(name)):
            found.add(path)
    return found


def _slashes(name: bytes) -> Iterator[int]:
    at = name.find(b"/")
    while at >= 0:
        yield at
        at = name.find(b"/", at + 1)


def _ask(worktree: str, wanted: list[str]) -> set[str]:
    from zdriver.git import calling

    try:
        answer = calling.read(["-C", worktree], ["ls-files", "-z", "--cached"])
    except ZdriverError as error:
        raise Unavailable(f"git does not say what it tracks in {worktree}: {error.message}") from error
    return _matching({name for name in answer.out.split(b"\0") if name}, wanted)
