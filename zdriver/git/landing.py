"""A branch into its base, locally: merge, squash or rebase, all or nothing.

The result is made in git's object store first, with no worktree (`git merge-tree --write-tree`,
git 2.38), so that a conflict is found before anything is changed. Then the base moves in one
step: by a fast-forward where it is checked out, so that its files follow, else its ref alone.
git's hooks of `git merge` and `git commit` do not run but for post-merge; `commit.gpgSign` counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from zdriver.core.errors import Conflict, InvalidInput, NotFound
from zdriver.git import branches, calling, replaying, settings
from zdriver.git.targets import in_repo, in_tree

How = Literal["merge", "squash", "rebase"]
Env = Mapping[str, str] | None


class Landing(msgspec.Struct, frozen=True, kw_only=True):
    commit: str  #: at which the base stands now
    before: str  #: and at which it stood
    path: str = ""  #: worktree whose files followed; "": the base is checked out nowhere


def land(git_dir: str, branch: str, base: str, *, how: How, message: str = "", env: Env = None) -> Landing:
    """Take the commits of `branch` into the local branch `base`.

    merge: fast-forward where that is possible, else a merge commit · squash: one commit · rebase:
    a copy of each commit that the base has not, merges left out. `branch` itself stays as it is.
    message: of the merge or squash commit ("": made from the commits).
    Raises Conflict, and leaves everything as it was, when they do not merge (the message names the
    files), when uncommitted work in the base's worktree would be overwritten, or when the base
    moved meanwhile; NotFound, InvalidInput; Unavailable with a git before 2.38.
    """
    if how not in ("merge", "squash", "rebase"):
        raise InvalidInput(f"there is no way to merge called {how!r}", hint="merge, squash or rebase")
    if branch == base:
        raise InvalidInput(f"{branch} cannot be merged into itself")
    tip, before = branches.local(git_dir, branch), branches.local(git_dir, base)
    for name, commit in ((branch, tip), (base, before)):
        if commit is None:
            raise NotFound(f"there is no branch {name} here")
    assert tip is not None
    assert before is not None
    after = _made(git_dir, branch, base, tip, before, how, message, env)
    if after == before:
        return Landing(commit=before, before=before)
    return Landing(commit=after, before=before, path=_moved(git_dir, base, before, after, branch, env))


def _made(
    git_dir: str, branch: str, base: str, tip: str, before: str, how: How, message: str, env: Env
) -> str:
    """The commit that the base shall stand at; nothing refers to it yet."""
    where = in_repo(git_dir)
    if _is_ancestor(where, tip, before, env):
        return before
    if how == "merge" and _is_ancestor(where, before, tip, env):
        return tip
    sign = ("-S",) if settings.true(settings.settings(git_dir, env), "commit.gpgsign") else ()
    if how == "rebase":
        return replaying.replay(where, before, tip, sign, env)
    tree = replaying.merged(where, before, tip, f"{branch} and {base}", env)
    if how == "squash":
        if tree == replaying.tree_of(where, before, env):
            return before
        text = message or _squash_message(where, branch, before, tip, env)
        return replaying.commit(where, tree, (before,), text.encode(), sign, env)
    text = message or f"Merge branch '{branch}' into {base}"
    return replaying.commit(where, tree, (before, tip), text.encode(), sign, env)


def _is_ancestor(where: tuple[str, ...], one: str, other: str, env: Env) -> bool:
    return calling.read(where, ("merge-base", "--is-ancestor", one, other), env=env, ok=(0, 1)).code == 0


def _squash_message(where: tuple[str, ...], branch: str, before: str, tip: str, env: Env) -> str:
    """The message of the only commit; of several the branch's name, and their subjects."""
    span = (tip, f"^{before}", "--no-merges", "--reverse")
    subjects = calling.read(where, ("log", "--format=%s", *span), env=env).lines()
    if len(subjects) == 1:
        return calling.read(where, ("log", "--format=%B", *span), env=env).text()
    return "\n".join((f"{branch}", "", *(f"* {one}" for one in subjects)))


def _moved(git_dir: str, base: str, before: str, after: str, branch: str, env: Env) -> str:
    """Let the base be `after`; the worktree that followed. Raises Conflict, with nothing changed."""
    path = branches.checked_out_at(git_dir, base)
    reason = f"zdriver: {branch} landed"
    if path is None or not Path(path).is_dir():
        branches.set_ref(git_dir, f"refs/heads/{base}", after, expect=before, message=reason, env=env)
        return ""
    own = calling.read(in_tree(path), ("symbolic-ref", "--quiet", "HEAD"), env=env, ok=(0, 1)).text()
    if own != f"refs/heads/{base}":
        raise Conflict(
            f"{base} is being rebased or bisected in {path}", hint="finish or abort that there, then again"
        )
    _refuse_if_busy(path, base, before, env)
    args = ("merge", "--ff-only", "--quiet", "--no-autostash", after)
    said = {**(env or {}), "GIT_REFLOG_ACTION": reason}
    answer = calling.write(in_tree(path), args, env=said, ok=calling.ANY)
    if answer.code:
        raise _refused(path, base, answer)
    return path


def _refuse_if_busy(path: str, base: str, before: str, env: Env) -> None:
    args = ("rev-parse", "--verify", "--quiet", f"refs/heads/{base}")
    if calling.read(in_tree(path), args, env=env, ok=(0, 1)).text() != before:
        raise Conflict(f"{base} moved meanwhile", hint="try again")


def _refused(path: str, base: str, answer: calling.Answer) -> Exception:
    """git's own reason; it names the files that it would overwrite, with a tab before each."""
    if "would be overwritten" in answer.err:
        files = [line.strip() for line in answer.err.splitlines() if line.startswith("\t")]
        return Conflict(
            f"uncommitted work in {path} would be overwritten: {replaying.some(files)}",
            hint=f"commit or stash it in {path}, then again",
        )
    return calling.failed(in_tree(path), ("merge", "--ff-only"), answer)
