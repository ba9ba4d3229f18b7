"""What lies in a worktree that its branch does not have: two git processes, three with submodules.

The worktree is named by its folder *and* its own git folder, so that one which was renamed is
asked as well, and git does not take note of where it is for the moment.

Forms: git-status(1) "Porcelain Format Version 2", git-ls-files(1) `-v`, `-s`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from zdriver.core.errors import ZdriverError
from zdriver.git import calling

Env = Mapping[str, str] | None

_STATUS = (
    *("status", "--porcelain=v2", "-z", "--no-renames", "--ignore-submodules=none"),
    *("--untracked-files=all", "--ignored=matching"),
)
_LINK = "160000"  #: mode of a submodule in the index
_DEPTH = 8  #: submodules in submodules that are looked into
_OID = re.compile(r"\b[0-9a-f]{40}(?:[0-9a-f]{24})?\b")


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """Paths are relative to the worktree."""

    staged: int = 0
    changed: int = 0
    conflicted: int = 0
    untracked: tuple[str, ...] = ()  #: files; a repository as `folder/`
    ignored: tuple[str, ...] = ()  #: files, and whole folders as `folder/`
    hidden: tuple[str, ...] = ()  #: flagged assume-unchanged or skip-worktree, and changed
    submodules: tuple[str, ...] = ()  #: those with work that is nowhere else


def where(top: str, own: str) -> tuple[str, ...]:
    """git's global options: the worktree whose files are at `top` and whose git folder is `own`."""
    return ("-C", top, "--git-dir", own, "--work-tree", top)


def contents(top: str, own: str, env: Env = None) -> Contents:
    """Raises NotFound, Unavailable and others with git's words."""
    place = where(top, own)
    found = parse_status(calling.read(place, _STATUS, env=env).out)
    entries = calling.read(place, ("ls-files", "-z", "-v", "-s"), env=env).out
    flagged, links = parse_entries(entries)
    return msgspec.structs.replace(
        found,
        hidden=_hidden(top, place, flagged, env),
        submodules=tuple(each for each in links if _has_work(f"{top}/{each}", env)),
    )


def parse_status(data: bytes) -> Contents:
    """`git status --porcelain=v2 -z --no-renames`. Pure."""
    staged = changed = conflicted = 0
    untracked: list[str] = []
    ignored: list[str] = []
    for entry in data.split(b"\0"):
        kind = entry[:2]
        if kind == b"1 ":
            staged += entry[2:3] != b"."
            # of a submodule only another commit is a change here; what is in it is told of itself
            inside = entry[5:6] == b"S" and entry[6:7] != b"C"
            changed += entry[3:4] != b"." and not inside
        elif kind == b"u ":
            conflicted += 1
        elif kind == b"? ":
            untracked.append(os.fsdecode(entry[2:]))
        elif kind == b"! ":
            ignored.append(os.fsdecode(entry[2:]))
    return Contents(
        staged=staged,
        changed=changed,
        conflicted=conflicted,
        untracked=tuple(untracked),
        ignored=tuple(ignored),
    )


def parse_entries(data: bytes) -> tuple[dict[str, tuple[str, str]], tuple[str, ...]]:
    """`git ls-files -z -v -s`: `TAG MODE OID STAGE\\tPATH`. Pure.

    ({path: (mode, oid)} of what is flagged: a lower-case tag is assume-unchanged, S skip-worktree;
    paths of submodules).
    """
    flagged: dict[str, tuple[str, str]] = {}
    links: list[str] = []
    for entry in data.split(b"\0"):
        # Most entries are neither: tell them by two bytes, for there may be 100,000.
        if entry[:1] in (b"H", b"") and entry[2:8] != b"160000":
            continue
        front, _, path = entry.partition(b"\t")
        tag, mode, oid, _stage = front.decode("ascii").split(" ")
        if mode == _LINK:
            links.append(os.fsdecode(path))
        elif tag.islower() or tag == "S":
            flagged[os.fsdecode(path)] = (mode, oid)
    return flagged, tuple(dict.fromkeys(links))


def _hidden(
    top: str, place: tuple[str, ...], flagged: Mapping[str, tuple[str, str]], env: Env
) -> tuple[str, ...]:
    """Those that are there and differ from what the index has of them."""
    changed: list[str] = []
    files: list[str] = []
    for path, (_, oid) in flagged.items():
        full = Path(top, path)
        if full.is_symlink():
            if _blob(os.fsencode(full.readlink()), oid) != oid:
                changed.append(path)
        elif full.is_file():
            files.append(path)
    for path, oid in zip(files, _hashed(place, files, env), strict=True):
        if oid != flagged[path][1]:
            changed.append(path)
    return tuple(sorted(changed))


def _hashed(place: tuple[str, ...], files: list[str], env: Env) -> list[str]:
    """What the index would have of each file, through its filters."""
    if not files:
        return []
    if any("\n" in path for path in files):
        return [calling.read(place, ("hash-object", "--", path), env=env).text() for path in files]
    stdin = b"".join(os.fsencode(path) + b"\n" for path in files)
    return calling.read(place, ("hash-object", "--stdin-paths"), env=env, stdin=stdin).lines()


def _blob(data: bytes, like: str) -> str:
    """git's id of a blob, of the kind (SHA-1 or SHA-256) of `like`."""
    kind = "sha1" if len(like) == 40 else "sha256"
    return hashlib.new(kind, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


# ---- submodules -----------------------------------------------------------------------------


def _has_work(path: str, env: Env, depth: int = 0) -> bool:
    """Whether a submodule (or one in it) has changes, untracked files, stashes, or commits that no
    remote is known to have. When that cannot be told: yes.
    """
    if not os.path.lexists(f"{path}/.git"):
        return False  # not checked out
    if depth > _DEPTH:
        return True
    place = ("-C", path)
    try:
        args = ("status", "--porcelain=v2", "-z", "--untracked-files=normal", "--ignore-submodules=none")
        if calling.read(place, args, env=env).out:
            return True
        own = Path(calling.read(place, ("rev-parse", "--absolute-git-dir"), env=env).text())
        if calling.read(place, ("rev-parse", "-q", "--verify", "refs/stash"), env=env, ok=(0, 1)).code == 0:
            return True
        fetched = _existing(place, _oids((own / "FETCH_HEAD",)), env)
        lost = ("rev-list", "--count", "HEAD", "--branches", "--not", "--remotes", *fetched)
        if calling.read(place, lost, env=env).text() != "0":
            return True
        flagged, links = parse_entries(calling.read(place, ("ls-files", "-z", "-v", "-s"), env=env).out)
        if _hidden(path, place, flagged, env):
            return True
    except ZdriverError:
        return True
    return any(_has_work(f"{path}/{each}", env, depth + 1) for each in links)


# ---- commits that only the worktree's own git folder knows --------------------------------------

_HEADS = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD", "ORIG_HEAD", "logs/HEAD")
_FOLDERS = ("rebase-merge", "rebase-apply", "sequencer", "refs")
#: commits that one commit may have as parents here
_MOST = 500


def loose_ends(own: str, env: Env = None) -> tuple[str, ...]:
    """Commits that are named in a worktree's own git folder (what is under way, its log, its own
    refs) and that no branch, tag or HEAD leads to: they would be gone with it.
    """
    files = [Path(own, name) for name in _HEADS]
    for folder in _FOLDERS:
        files += sorted(each for each in Path(own, folder).rglob("*") if each.is_file())
    place = ("--git-dir", own)
    named = _existing(place, _oids(files), env)
    if not named:
        return ()
    args = ("rev-list", "--stdin")
    # HEAD first; without commits there is none to leave out
    known = ["--not", "--branches", "--tags", "--remotes"]
    head = calling.read(place, ("rev-parse", "-q", "--verify", "HEAD"), env=env, ok=(0, 1)).text()
    stdin = "\n".join([*named, *(f"^{head}" for _ in range(bool(head))), ""]).encode()
    lost = set(calling.read(place, (*args, *known), env=env, stdin=stdin).lines())
    return tuple(each for each in named if each in lost)[:_MOST]


def _oids(files: Iterable[Path]) -> list[str]:
    found: dict[str, None] = {}
    for file in files:
        try:
            text = file.read_text("ascii", "replace")
        except OSError:
            continue
        found.update(dict.fromkeys(_OID.findall(text)))
    return [oid for oid in found if oid.strip("0")]


def _existing(place: tuple[str, ...], oids: list[str], env: Env) -> list[str]:
    """Those that are commits here."""
    if not oids:
        return []
    stdin = "".join(f"{oid}\n" for oid in oids).encode()
    args = ("cat-file", "--batch-check=%(objecttype)")
    kinds = calling.read(place, args, env=env, stdin=stdin).lines()
    return [oid for oid, kind in zip(oids, kinds, strict=True) if kind == "commit"]
