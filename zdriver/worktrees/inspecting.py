"""Look at one worktree before, and while, it is removed: all that could speak against it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from zdriver.core.errors import Conflict, NotFound
from zdriver.git import branches, calling, contents, keeping, refs
from zdriver.git.status import operation
from zdriver.git.targets import in_repo
from zdriver.worktrees import trash
from zdriver.worktrees.model import Repo, Worktree
from zdriver.worktrees.ports import Busy, Guard
from zdriver.worktrees.processes import contains
from zdriver.worktrees.removal_rules import Findings

Env = Mapping[str, str] | None


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants it gone."""

    agent: str = ""
    token: int = 0
    pids: tuple[int, ...] = ()
    env: dict[str, str] | None = None


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the removal itself needs beside the findings."""

    findings: Findings
    own: str = ""  #: git's folder of this worktree; "": git does not know it
    branch: str = ""  #: that it is on now; "" when HEAD is detached
    ignored: tuple[str, ...] = ()


def look(
    repo: Repo, worktree: Worktree, *, guard: Guard | None, busy: Busy, asking: Asking, known_head: str = ""
) -> Seen:
    """Everything, at its place. `known_head`: commit that the forge has (of a pull request).

    Raises Conflict when the folder is there but is not the worktree that git knows.
    """
    if worktree.trunk:
        return Seen(findings=Findings(trunk=True))
    claim, claim_hint = _claim(worktree, guard, asking)
    missing = not os.path.lexists(worktree.path)
    own = git_folder(repo, worktree)
    inside = Seen(findings=Findings(missing=True), own=own)
    if not missing:
        inside = look_inside(repo, worktree.path, own, asking.env)
    branch, head = _stands(own)
    findings = msgspec.structs.replace(
        inside.findings,
        head=head,
        foreign=not worktree.agent,
        unpushed=_unpushed(repo, worktree, branch, head, known_head, asking.env) if head else 0,
        stray=not branch,
        lock=keeping.lock_reason(own) if own else None,
        holding=() if missing else _holding(repo, worktree),
        mounts=() if missing else trash.mounts(worktree.path),
        running=() if missing else busy(worktree.path, beside=asking.pids),
        claim=claim,
        claim_hint=claim_hint,
        fixed="" if missing else _fixed(repo, worktree),
    )
    return Seen(findings=findings, own=own, branch=branch, ignored=inside.ignored)


def look_inside(repo: Repo, top: str, own: str, env: Env) -> Seen:
    """Only what lies in the folder, which may stand elsewhere for the moment. Raises git's words."""
    found = contents.contents(top, own, env)
    branch, head = _stands(own)
    findings = Findings(
        head=head,
        staged=found.staged,
        changed=found.changed,
        conflicted=found.conflicted,
        untracked=found.untracked,
        hidden=found.hidden,
        submodules=found.submodules,
        operation=operation(own),
    )
    return Seen(findings=findings, own=own, branch=branch, ignored=found.ignored)


def git_folder(repo: Repo, worktree: Worktree) -> str:
    """git's folder of the worktree, "" when git does not know it. Raises Conflict when the folder at its
    place is something else.
    """
    if not os.path.lexists(worktree.path):
        return keeping.own_dir(repo.git_dir, worktree.path)
    own = keeping.pointed(worktree.path)
    if own and contains(f"{repo.git_dir}/worktrees", os.path.realpath(own)) and Path(own, "HEAD").exists():
        return own
    raise Conflict(
        f"{worktree.path} is there, but git does not know it as a worktree of this repository",
        hint="`zdriver worktree repair` mends that; or move the folder away",
    )


def _stands(own: str) -> tuple[str, str]:
    """(branch, commit) of HEAD; "" for what there is not."""
    if not own:
        return "", ""
    place = ("--git-dir", own)
    name = refs.symbolic(own, "HEAD") or ""
    head = calling.read(place, ("rev-parse", "-q", "--verify", "HEAD^{commit}"), ok=(0, 1, 128))
    return name.removeprefix("refs/heads/"), head.text() if head.code == 0 else ""


def _claim(worktree: Worktree, guard: Guard | None, asking: Asking) -> tuple[str, str]:
    if guard is None:
        return "", ""
    try:
        guard.check(worktree.id, agent=asking.agent, token=asking.token)
    except Conflict as refused:
        return refused.message, refused.hint
    return "", ""


def _unpushed(repo: Repo, worktree: Worktree, branch: str, head: str, known_head: str, env: Env) -> int:
    """Commits that would be lost, or kept for some days only: on no remote, and not landed anywhere."""
    where = in_repo(repo.git_dir)
    if not branch:
        args = ("rev-list", "--count", head, "--not", "--branches", "--tags", "--remotes")
        return int(calling.read(where, args, env=env).text())
    known = [each for each in (known_head if worktree.pull_request else "",) if each]
    if known:
        own = ("rev-list", "--count", head, "--not", "--remotes", *known)
        if calling.read(where, own, env=env, ok=(0, 128)).text() == "0":
            return 0
    least = -1
    for base in dict.fromkeys((worktree.base, repo.default_branch)):
        try:
            count = branches.unpushed(repo.git_dir, branch, base if base != branch else "", env)
        except NotFound:  # the base is gone, or there never was a default branch
            continue
        least = count if least < 0 else min(least, count)
        if not least:
            return 0
    return least if least >= 0 else branches.unpushed(repo.git_dir, branch, "", env)


def _holding(repo: Repo, worktree: Worktree) -> tuple[str, ...]:
    """Other worktrees, and the repository, that lie below it."""
    found = [] if not contains(worktree.path, repo.git_dir) else ["the repository itself"]
    for file in sorted(Path(repo.git_dir, "worktrees").glob("*/gitdir")):
        try:
            text = os.fsdecode(file.read_bytes()).removesuffix("\n")
        except OSError:
            continue
        path = os.path.normpath(file.parent / text).removesuffix("/.git")
        if path != worktree.path and contains(worktree.path, path) and os.path.lexists(path):
            found.append(f"the worktree {path}")
    return tuple(found)


def _fixed(repo: Repo, worktree: Worktree) -> str:
    """Why the folder cannot be renamed, as far as that is seen without trying."""
    parent = Path(worktree.path).parent
    for folder in (parent, Path(repo.git_dir)):
        if not os.access(folder, os.W_OK | os.X_OK):
            return f"{folder} cannot be written"
    if os.path.ismount(worktree.path):
        return "it is a mounted file system"
    return ""
