"""The nouns of shared configuration, as they stand on the wire and in `--json`."""

from __future__ import annotations

from typing import Literal

import msgspec

#: What happens with a file under sync/.
Mode = Literal["link", "copy", "ignore"]
#: sync/repo goes before sync/global.
Layer = Literal["repo", "global"]
LAYERS: tuple[Layer, ...] = ("repo", "global")
#: The folder of a container that is shared, and the file in it that says how.
FOLDER = "sync"
RULES = "zdriver.toml"


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Something under sync/ that no worktree gets, or gets with a remark."""

    source: str  #: relative to the container: sync/repo/node_modules
    reason: str
    hint: str = ""


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    """A file under sync/ that one worktree does not have, because something of its own is there."""

    worktree: str  #: its name
    path: str  #: relative to the worktree
    reason: str
    hint: str  #: how to settle it
    forcible: bool = False  #: `sync repair --force` settles it


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What the system did not let be done. The next application tries again."""

    worktree: str  #: its name
    path: str
    reason: str
    hint: str


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """How one worktree stands."""

    name: str
    path: str  #: absolute
    links: int = 0  #: that are in place
    copies: int = 0
    missing: int = 0  #: to be made, mended or taken out by the next application
    changed: int = 0  #: copies that were edited there, and are kept as they are
    obstacles: int = 0
    trouble: str = ""  #: why nothing can be done for it


class SyncStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the worktrees of one container stand beside what its sync/ has."""

    container: str  #: absolute
    folder: str  #: absolute path of sync/
    exists: bool  #: sync/global or sync/repo is there
    unwatched: str = ""  #: why changes are not followed by themselves; "" when they are
    files: int = 0  #: that every worktree should have
    hidden: tuple[str, ...] = ()  #: paths in sync/global that sync/repo has as well
    refused: tuple[Refused, ...] = ()
    remarks: tuple[Refused, ...] = ()
    worktrees: tuple[Synced, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()  #: the first `SHOWN`


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What one application did."""

    container: str
    made: int = 0
    updated: int = 0
    removed: int = 0
    kept: tuple[str, ...] = ()  #: copies whose source went, kept because they were edited: NAME/PATH
    aside: str = ""  #: folder with what `--force` replaced; "" when nothing was
    worktrees: tuple[str, ...] = ()  #: names of those that were changed
    refused: tuple[Refused, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()  #: the first `SHOWN`
    failures: tuple[Failure, ...] = ()  #: the first `SHOWN`
    more: int = 0  #: obstacles and failures beyond those


#: Obstacles and failures named in one answer.
SHOWN = 500
