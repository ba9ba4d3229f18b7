"""What was done behind the registry's back: its rows beside `git worktree list`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from zdriver.worktrees.model import Worktree


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One worktree as git lists it."""

    path: str  #: absolute, links resolved
    branch: str  #: "" when HEAD is detached
    head: str
    there: bool  #: its folder exists
    bare: bool = False
    locked: str | None = None  #: the reason, "" without one; None: not locked


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What to write, and what to say."""

    moved: dict[str, str] = {}  #: worktree's id → where it is now
    switched: dict[str, str] = {}  #: id → the branch it is on now
    gone: tuple[Worktree, ...] = ()  #: neither git nor the file system has it
    foreign: tuple[Seen, ...] = ()  #: made by other means
    troubles: dict[str, str] = {}  #: id → what is wrong with it, in words

    def to_write(self) -> bool:
        return bool(self.moved or self.switched or self.gone)


def compare(known: Sequence[Worktree], listed: Sequence[Seen], existing: Iterable[str]) -> Findings:
    """`existing`: those paths of `known` at which there is a folder."""
    by_path = {each.path: each for each in listed}
    paths, there = {each.path for each in known}, set(existing)
    strange = [each for each in listed if each.path not in paths and not each.bare]
    by_branch = {each.branch: each for each in strange if each.branch and each.there}
    moved: dict[str, str] = {}
    switched: dict[str, str] = {}
    troubles: dict[str, str] = {}
    gone: list[Worktree] = []
    for each in known:
        if each.state != "ready":
            troubles[each.id] = _UNFINISHED[each.state]
            continue
        seen = by_path.get(each.path)
        if seen is not None:
            if seen.branch != each.branch:
                switched[each.id] = seen.branch
            if not seen.there:
                troubles[each.id] = "its folder is gone; `zdriver worktree prune` takes it off the list"
        elif (found := by_branch.pop(each.branch, None)) is not None:
            moved[each.id] = found.path
        elif each.path in there:
            troubles[each.id] = "git does not know it any more; `zdriver worktree repair` mends that"
        elif not each.trunk:
            gone.append(each)
    taken = set(moved.values())
    return Findings(
        moved=moved,
        switched=switched,
        gone=tuple(gone),
        foreign=tuple(each for each in strange if each.path not in taken and each.there),
        troubles=troubles,
    )


_UNFINISHED = {
    "creating": "it is being made, or was killed at that; `zdriver worktree repair` settles it",
    "removing": "it is being removed, or was killed at that; `zdriver worktree repair` settles it",
    "removed": "it was removed",
}
