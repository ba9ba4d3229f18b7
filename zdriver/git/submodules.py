"""Submodules of a worktree that is moved: they and their repositories know each other by relative paths.

A linked worktree's submodules have their repositories in its own git folder, `modules/NAME`, a
submodule's submodules in `modules/NAME/modules/…`. The file `.git` in a submodule names the repository,
and `core.worktree` in the repository's config the submodule (gitsubmodules(7), gitrepository-layout(5)).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from zdriver.git import calling


def point(own: str, top: str, *, known: Sequence[str]) -> None:
    """Let the submodules of the worktree whose files are at `top` and whose git folder is `own` find their
    repositories, and the other way. Done twice it is done once; without submodules it costs nothing.

    known: where the worktree may have been when that was written. Raises OSError and what git says.
    """
    for repository in _repositories(own):
        config = str(repository / "config")
        args = ("config", "--file", config, "core.worktree")
        said = calling.read((), args, ok=(0, 1)).text()
        place = os.path.normpath(repository / said) if said else ""
        name = next((_below(base, place) for base in (top, *known) if _below(base, place)), "")
        dot = Path(top, name, ".git")
        if not name or not dot.is_file():
            continue
        text = f"gitdir: {os.path.relpath(repository, dot.parent)}\n"
        if dot.read_bytes() != os.fsencode(text):
            dot.write_bytes(os.fsencode(text))
        wanted = os.path.relpath(dot.parent, repository)
        if wanted != said:
            calling.write((), (*args, wanted))


def _repositories(own: str) -> Iterator[Path]:
    for where, folders, files in os.walk(Path(own, "modules")):
        if "HEAD" in files and "objects" in folders:
            yield Path(where)
            folders[:] = [each for each in folders if each == "modules"]


def _below(base: str, path: str) -> str:
    """`path` relative to `base`, "" when it is not below it."""
    return path[len(base) + 1 :] if path.startswith(f"{base}/") else ""
