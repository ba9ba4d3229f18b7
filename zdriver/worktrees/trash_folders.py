"""Folders that files alone do not bring back: empty ones, and the rights of those around what was kept.

The file `folders` in a removal's trash has them: for each `MODE PATH`, the mode octal, the path
relative to the worktree, ended by NUL.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from zdriver.core import paths

FILE = "folders"


def note(top: Path, kept: Iterable[str], into: Path, *, without: Iterable[str] = ()) -> None:
    """Before anything of `kept` (relative to `top`) is moved. Once noted it stays: a second run sees less.

    without: folders that are not kept, as `folder/`. Raises OSError.
    """
    if (into / FILE).exists():
        return
    around = {str(above) for name in kept for above in list(Path(name).parents)[:-1]}
    found = sorted({*around, *_empty(top, {each.rstrip("/") for each in without})})
    if not found:
        return
    paths.make_folders(into)
    half = into / f"{FILE}.half"
    half.write_bytes(b"".join(_entry(top, name) for name in found))
    half.rename(into / FILE)


def _entry(top: Path, name: str) -> bytes:
    return b"%o %s\0" % (stat.S_IMODE((top / name).lstat().st_mode), os.fsencode(name))


def _empty(top: Path, without: set[str]) -> list[str]:
    found = []
    for where, folders, files in os.walk(top):
        below = os.path.relpath(where, top)
        if below != "." and (".git" in folders or ".git" in files):  # a repository: as a whole, or not
            folders.clear()
            continue
        if below != "." and not folders and not files:
            found.append(below)
        prefix = "" if below == "." else f"{below}/"
        folders[:] = [each for each in folders if each != ".git" and f"{prefix}{each}" not in without]
    return found


def restore(top: Path, kept: Path) -> None:
    """Make what `note` noted, with those rights. What is a file by now stays one. Raises OSError."""
    try:
        entries = (kept / FILE).read_bytes().split(b"\0")[:-1]
    except FileNotFoundError:
        return
    modes: dict[Path, int] = {}
    for entry in entries:
        mode, _, name = entry.partition(b" ")
        folder = top / os.fsdecode(name)
        with contextlib.suppress(FileExistsError, NotADirectoryError):
            folder.mkdir(parents=True, exist_ok=True)
            modes[folder] = int(mode, 8)
    for folder in reversed(modes):  # from the inside out: one that may not be written is set last
        folder.chmod(modes[folder])


def drop(kept: Path) -> None:
    """It is there again, or nothing came of the removal."""
    with contextlib.suppress(OSError):
        (kept / FILE).unlink(missing_ok=True)
        kept.rmdir()
