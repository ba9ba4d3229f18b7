"""What git prints for programs, parsed. Pure: bytes in, values out; any byte may be in a path.

Forms: git-status(1) "Porcelain Format Version 2", git-worktree(1) "PORCELAIN FORMAT",
git-config(1) `--list -z`.
"""

from __future__ import annotations

import os

import msgspec


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of `git worktree list`."""

    path: str  #: absolute
    head: str = ""  #: commit; "" where there is none yet
    branch: str = ""  #: "main"; "" when HEAD is detached
    detached: bool = False
    bare: bool = False  #: the repository itself, which has no files
    locked: str | None = None  #: the reason, may be ""; None: not locked
    prunable: str | None = None  #: why `git worktree prune` would forget it; None: it would not


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What `git status --porcelain=v2 --branch` says."""

    head: str = ""  #: commit; "" before the first one
    branch: str = ""  #: "" when HEAD is detached
    upstream: str = ""  #: "origin/main"; "" without one
    up_ahead: int = 0
    up_behind: int = 0
    up_gone: bool = False  #: an upstream is configured, and does not exist any more
    staged: int = 0
    changed: int = 0
    untracked: int = 0  #: an untracked folder counts as one
    conflicted: int = 0


def worktrees(data: bytes) -> list[Listed]:
    """`git worktree list --porcelain -z`: lines end in NUL, an entry with an empty one."""
    return [_listed(entry.split(b"\0")) for entry in data.split(b"\0\0") if entry.strip(b"\0")]


def worktrees_by_line(data: bytes) -> list[Listed]:
    """Without -z, as git before 2.36 prints it: a path with a newline in it cannot be told."""
    return [_listed(entry.split(b"\n")) for entry in data.split(b"\n\n") if entry.strip(b"\n")]


def _listed(lines: list[bytes]) -> Listed:
    said: dict[str, str] = {}
    for line in lines:
        name, _, value = os.fsdecode(line).partition(" ")
        if name:
            said.setdefault(name, value)
    return Listed(
        path=said.get("worktree", ""),
        head="" if not said.get("HEAD", "").strip("0") else said["HEAD"],
        branch=said.get("branch", "").removeprefix("refs/heads/"),
        detached="detached" in said,
        bare="bare" in said,
        locked=said.get("locked"),
        prunable=said.get("prunable"),
    )


def status(data: bytes) -> Counts:
    """`git status --porcelain=v2 --branch -z`. Entries that later versions add are passed over."""
    heads: dict[str, str] = {}
    staged = changed = untracked = conflicted = 0
    entries = iter(data.split(b"\0"))
    for entry in entries:
        kind = entry[:2]
        if kind in (b"1 ", b"2 "):
            staged += entry[2:3] != b"."
            changed += entry[3:4] != b"."
            if kind == b"2 ":
                next(entries, None)  # where it was renamed or copied from
        elif kind == b"? ":
            untracked += 1
        elif kind == b"u ":
            conflicted += 1
        elif kind == b"# ":
            name, _, value = os.fsdecode(entry[2:]).partition(" ")
            heads[name] = value
    ahead, _, behind = heads.get("branch.ab", "").partition(" ")
    branch, commit = heads.get("branch.head", ""), heads.get("branch.oid", "")
    upstream = heads.get("branch.upstream", "")
    return Counts(
        head="" if commit == "(initial)" else commit,
        branch="" if branch == "(detached)" else branch,
        upstream=upstream,
        up_ahead=int(ahead or 0),
        up_behind=-int(behind or 0),
        up_gone=bool(upstream and not ahead and commit != "(initial)"),
        staged=staged,
        changed=changed,
        untracked=untracked,
        conflicted=conflicted,
    )


def config(data: bytes) -> dict[str, list[str]]:
    """`git config --list -z`: values by lower-case name, the last one wins where one is meant.

    Of a subsection the case is kept, as git does: `remote.Origin.url`. A name without a value
    (`[core] bare`) means true.
    """
    found: dict[str, list[str]] = {}
    for entry in data.split(b"\0"):
        if entry:
            name, newline, value = os.fsdecode(entry).partition("\n")
            found.setdefault(name, []).append(value if newline else "true")
    return found
