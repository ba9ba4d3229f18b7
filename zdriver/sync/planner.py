"""What has to happen in one worktree so that it has what sync/ has. Pure.

Three things are known of each path: what sync/ wants there, what an earlier application put there
(recorded), and what is there now (found). Only what is recorded, and found as it was recorded, is
ours to change or take away; everything else is its owner's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Literal

import msgspec

Kind = Literal["link", "copy"]


class Wanted(msgspec.Struct, frozen=True):
    """What belongs at a path."""

    source: str  #: relative to the container
    kind: Kind
    content: str  #: a link's text; of a copy the SHA-256


class Recorded(msgspec.Struct, frozen=True):
    """A row of `sync_links`."""

    source: str
    kind: Kind
    content: str
    done: bool = True  #: False: it was about to be made when that was written
    folders: int = 0  #: how many of the folders right above it were made for it
    next: Wanted | None = None  #: what was about to take its place when that was written


class Found(msgspec.Struct, frozen=True):
    """What is at a path."""

    kind: Literal["nothing", "link", "file", "folder", "other", "blocked"] = "nothing"
    content: str = ""  #: a link's text; a file's SHA-256 where that can matter
    reaches: bool = False  #: a link that ends at the wanted source, whatever its text
    why: str = ""  #: blocked: what is in the way …
    by: str = ""  #: … and its path, when it lies in the worktree
    inside: frozenset[str] = frozenset()  #: of a folder: the paths of everything in it but folders


class Make(msgspec.Struct, frozen=True):
    path: str
    want: Wanted
    begun: bool = False  #: it was there, or about to be: a killed application may have left something


class Replace(msgspec.Struct, frozen=True):
    """Put `want` where `was` is, as long as that is still so."""

    path: str
    want: Wanted
    was: Found
    forced: bool = False  #: it is somebody's: keep it aside


class Remove(msgspec.Struct, frozen=True):
    path: str
    was: Recorded


class Settle(msgspec.Struct, frozen=True):
    """It is there already: record it so."""

    path: str
    want: Wanted
    begun: bool  #: made by an application that was killed before it could say so


class Forget(msgspec.Struct, frozen=True):
    """Not ours any more, or gone: only the record goes."""

    path: str
    why: Literal["gone", "changed", "tracked"]


class Conflict(msgspec.Struct, frozen=True):
    path: str
    reason: str
    forcible: bool


class Plan(msgspec.Struct, frozen=True):
    """Carried out in this order."""

    removals: tuple[Remove, ...] = ()
    replaces: tuple[Replace, ...] = ()
    makes: tuple[Make, ...] = ()
    settles: tuple[Settle, ...] = ()
    forgets: tuple[Forget, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    changed: tuple[str, ...] = ()  #: copies that were edited in the worktree, their source being as it was
    standing: tuple[str, ...] = ()  #: paths that are as they should be, and ours

    @property
    def empty(self) -> bool:
        return not (self.removals or self.replaces or self.makes or self.settles or self.forgets)


_Decision = Make | Replace | Remove | Settle | Forget | Conflict | str | None
_NOTHING = Found()


def plan(
    wanted: Mapping[str, Wanted],
    recorded: Mapping[str, Recorded],
    found: Mapping[str, Found],
    tracked: Set[str],
    *,
    force: Set[str] = frozenset(),
) -> Plan:
    """wanted, recorded  by path relative to the worktree
    found    of each of those; a path that is not in it has nothing
    tracked  those of them that git tracks
    force    paths at which what somebody else put there may be replaced
    """
    decided: dict[type, list[_Decision]] = {}
    changed: list[str] = []
    standing: list[str] = []
    going: set[str] = set()
    recorded = {path: _as_it_came(was, found.get(path, _NOTHING)) for path, was in recorded.items()}
    for path in sorted(recorded.keys() - wanted.keys()):
        out = _unwanted(path, recorded[path], found.get(path, _NOTHING), path in tracked)
        decided.setdefault(type(out), []).append(out)
        if isinstance(out, Remove):
            going.add(path)
    made = {above for path, was in recorded.items() for above in _made_for(path, was)}
    for path in sorted(wanted):
        seen = _after(found.get(path, _NOTHING), going, made=path in made)
        step = _settled(path, wanted[path], recorded.get(path), seen, path in tracked, path in force)
        if isinstance(step, str):
            (changed if step == "changed" else standing).append(path)
        elif step is not None:
            decided.setdefault(type(step), []).append(step)
    return Plan(
        removals=tuple(decided.get(Remove, ())),  # type: ignore[arg-type]  # sorted by their types above
        replaces=tuple(decided.get(Replace, ())),  # type: ignore[arg-type]
        makes=tuple(decided.get(Make, ())),  # type: ignore[arg-type]
        settles=tuple(decided.get(Settle, ())),  # type: ignore[arg-type]
        forgets=tuple(decided.get(Forget, ())),  # type: ignore[arg-type]
        conflicts=tuple(decided.get(Conflict, ())),  # type: ignore[arg-type]
        changed=tuple(changed),
        standing=tuple(standing),
    )


def is_ours(was: Recorded, seen: Found) -> bool:
    """Whether what is there is what was put there, untouched."""
    kind = {"link": "link", "copy": "file"}[was.kind]
    return seen.kind == kind and seen.content == was.content


def _as_it_came(was: Recorded, seen: Found) -> Recorded:
    """What is recorded, by how far an application came that was killed at replacing it."""
    if was.next is None:
        return was
    came = Recorded(was.next.source, was.next.kind, was.next.content, done=False, folders=was.folders)
    if is_ours(came, seen):
        return came
    return msgspec.structs.replace(was, next=None, done=was.done and not is_ours(was, seen))


def _made_for(path: str, was: Recorded) -> Iterator[str]:
    """The folders that were made for it."""
    for _ in range(was.folders):
        path = path.rpartition("/")[0]
        yield path


def _after(seen: Found, going: Set[str], *, made: bool) -> Found:
    """What is there once those that go are gone. made: a folder there was made for one of them."""
    if seen.kind == "blocked" and seen.by in going:
        return _NOTHING
    if seen.kind == "folder" and (seen.inside or made) and seen.inside <= going:
        return _NOTHING
    return seen


def _unwanted(path: str, was: Recorded, seen: Found, tracked: bool) -> Remove | Forget:
    if seen.kind in ("nothing", "blocked"):
        return Forget(path, "gone")
    if not is_ours(was, seen):
        return Forget(path, "changed")
    return Forget(path, "tracked") if tracked else Remove(path, was)


def _settled(
    path: str, want: Wanted, was: Recorded | None, seen: Found, tracked: bool, force: bool
) -> _Decision:
    """A str: "changed" or "standing", and nothing to do. None: it is there, and somebody's own."""
    if seen.kind == "blocked":
        return Conflict(path, seen.why, False)
    if is_ours(Recorded(want.source, want.kind, want.content), seen):
        return _there(path, want, was)
    if tracked:
        return Conflict(path, "git tracks it", False)
    if seen.kind == "nothing":
        return Make(path, want, begun=was is not None)
    if was is not None and is_ours(was, seen):
        return Replace(path, want, seen)
    if was is None and seen.kind == "link" and seen.reaches:
        return None
    return _theirs(path, want, was, seen, force)


def _there(path: str, want: Wanted, was: Recorded | None) -> _Decision:
    if was is None:
        return None
    if was.done and (was.source, was.kind, was.content) == (want.source, want.kind, want.content):
        return "standing"
    return Settle(path, want, begun=True)


def _theirs(path: str, want: Wanted, was: Recorded | None, seen: Found, force: bool) -> _Decision:
    if seen.kind in ("folder", "other"):
        what = "a folder of its own" if seen.kind == "folder" else "something that is no file"
        return Conflict(path, f"{what} is there", False)
    if force:
        return Replace(path, want, seen, forced=True)
    edited = was is not None and was.done and was.kind == "copy" and seen.kind == "file"
    if edited and was is not None and was.content == want.content and want.kind == "copy":
        return "changed"
    if edited:
        return Conflict(path, "its copy was edited there, and its source has changed since", True)
    return Conflict(path, f"a {seen.kind} of its own is there", True)
