"""Whether the work of a branch is safe elsewhere: in its base, however it came there, or on a remote."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import Literal

from zdriver.core.errors import NotFound
from zdriver.git import calling, refs
from zdriver.git.targets import in_repo

Landed = Literal["ancestor", "squash", "rebase", ""]
Env = Mapping[str, str] | None


def landed(git_dir: str, branch: str, base: str, env: Env = None) -> Landed:
    """How the work of `branch` came into `base` (branches or commits); "" when it is not (all) there.

    ancestor: its commits are there · rebase: each of them is, as a commit with the same patch ·
    squash: its whole change is, as one commit or merged in another way. Where `base` follows a
    remote branch, what landed there counts. A branch whose commits add up to no change at all has
    landed only as ancestor; one that has no commits of its own (yet) always has. Nothing is written
    to the repository. Raises NotFound.
    """
    tip, targets = _commits(git_dir, branch, base, env)
    for target in targets:
        how = _landed(git_dir, tip, target, env)
        if how:
            return how
    return ""


def unpushed(git_dir: str, branch: str, base: str = "", env: Env = None) -> int:
    """How many commits of `branch` would be lost with it: on no remote's branch (as last fetched),
    and not landed in `base` ("" for none to look at).
    """
    tip, targets = _commits(git_dir, branch, base, env)
    args = ("rev-list", "--count", tip, "--not", *targets, "--remotes")
    count = int(calling.read(in_repo(git_dir), args, env=env).text())
    return 0 if count == 0 or any(_landed(git_dir, tip, one, env) for one in targets) else count


def _commits(git_dir: str, branch: str, base: str, env: Env) -> tuple[str, list[str]]:
    """Commit of the branch; those of the base and of what the base follows, each once."""
    tip, found = _commit(git_dir, branch, env), []
    if base:
        found.append(_commit(git_dir, base, env))
        if refs.read_ref(git_dir, f"refs/heads/{base}"):
            args = ("for-each-ref", "--format=%(upstream)", f"refs/heads/{base}")
            for name in calling.read(in_repo(git_dir), args, env=env).lines()[:1]:
                commit = refs.read_ref(git_dir, name) if name else None
                if commit and commit not in found:
                    found.append(commit)
    return tip, found


def _commit(git_dir: str, rev: str, env: Env) -> str:
    found = refs.read_ref(git_dir, f"refs/heads/{rev}") if refs.valid_branch(rev) else None
    if found:
        return found
    args = ("rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}")
    answer = calling.read(in_repo(git_dir), args, env=env, ok=(0, 1, 128))
    if answer.code or rev.startswith("-"):
        raise NotFound(f"there is no branch or commit {rev!r} in {git_dir}")
    return answer.text()


def _landed(git_dir: str, tip: str, target: str, env: Env) -> Landed:
    where = in_repo(git_dir)
    if tip == target:
        return "ancestor"
    fork = calling.read(where, ("merge-base", target, tip), env=env, ok=(0, 1))
    if fork.code:
        return ""  # histories that have nothing in common
    start = fork.text()
    if start == tip:
        return "ancestor"
    trees = [f"{commit}^{{tree}}" for commit in (start, tip, target)]
    before, after, theirs = calling.read(where, ("rev-parse", *trees), env=env).lines()
    if before == after:
        return ""  # its commits add up to nothing: their like would be found anywhere
    merges = calling.read(where, ("rev-list", "--count", "--merges", tip, f"^{target}"), env=env).text()
    if merges == "0" and _all_there(where, target, tip, env):
        return "rebase"  # `git cherry` passes merges over: what one changed itself would be lost
    with _aside(git_dir, env) as quarantine:
        if _merged(where, target, tip, quarantine) == theirs:
            return "squash"
        return "squash" if _as_one(where, target, after, start, quarantine) else ""


def _all_there(where: tuple[str, ...], target: str, tip: str, env: Env) -> bool:
    """git-cherry(1): `-` before a commit whose patch is in `target`, `+` before one that is not."""
    lines = calling.read(where, ("cherry", target, tip), env=env).lines()
    return bool(lines) and all(line.startswith("- ") for line in lines)


def _merged(where: tuple[str, ...], target: str, tip: str, env: Env) -> str:
    """The tree that merging would make; "" on a conflict, and with a git before 2.38."""
    args = ("merge-tree", "--write-tree", "--no-messages", target, tip)
    answer = calling.read(where, args, env=env, ok=calling.ANY)
    return answer.text() if answer.code == 0 else ""


def _as_one(where: tuple[str, ...], target: str, tree: str, start: str, env: Env) -> bool:
    """Whether a commit with the branch's whole change has its like in the base."""
    made = calling.read(where, ("commit-tree", tree, "-p", start, "-m", "-"), env=env).text()
    return _all_there(where, target, made, env)


@contextlib.contextmanager
def _aside(git_dir: str, env: Env) -> Iterator[dict[str, str]]:
    """An environment in which new objects go to a folder that is deleted at the end (git(1))."""
    with tempfile.TemporaryDirectory(prefix="zdriver-git-") as folder:
        objects = f"{git_dir}/objects".replace("\\", "\\\\").replace('"', '\\"')
        yield {
            **(env or {}),
            "GIT_OBJECT_DIRECTORY": folder,
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{objects}"',
            **{
                f"GIT_{who}_{what}": "zdriver"
                for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")
            },
        }
