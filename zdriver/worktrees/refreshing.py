"""A review that is there already, brought to its pull request's head: nothing that is only here is lost."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from zdriver.core.errors import Conflict, ZdriverError
from zdriver.core.killpoint import reached
from zdriver.git import branches, calling, refs, repos
from zdriver.git.status import operation
from zdriver.git.targets import in_tree
from zdriver.worktrees import pullrefs
from zdriver.worktrees.model import Repo, Worktree
from zdriver.worktrees.steps import point

Env = Mapping[str, str] | None


class Refreshed(msgspec.Struct, frozen=True, kw_only=True):
    before: str  #: commit that it stood at
    updated: bool = False
    reason: str = ""  #: why not
    kept: str = ""  #: ref of what stood there before a force push


def refresh(repo: Repo, worktree: Worktree, branch: str, number: int, env: Env) -> Refreshed:
    """To the commit that was fetched. `branch` is the one that was made for it.

    Fast-forward; where the pull request was rebased and nothing is only here, a reset that keeps
    uncommitted changes, or refuses. Raises what git's layer raises.
    """
    path = worktree.path
    own = repos.git_dir_of(path)
    new = refs.read_ref(repo.git_dir, pullrefs.fetched(number)) or ""
    here = branches.resolve(own, "HEAD", env) or ""
    stay = Refreshed(before=here)
    on = (refs.symbolic(own, "HEAD") or "").removeprefix("refs/heads/")
    if on != branch:
        where = f"on {on}" if on else "on no branch"
        return _because(stay, f"it is {where} now, not on {branch}: switch back, then again")
    if under_way := operation(own):
        return _because(stay, f"a {under_way} is under way in it: finish or abort that, then again")
    if here == new or _is_ancestor(own, new, here, env):
        _note(repo, number, new)
        return stay
    known = refs.read_ref(repo.git_dir, pullrefs.head(number)) or ""
    if _is_ancestor(own, here, new, env):
        return _moved(
            repo, path, stay, number, new, ("merge", "--ff-only", "--no-autostash", "--quiet", new), env
        )
    if not known or not _is_ancestor(own, here, known, env):
        count = _count(own, here, known, new, env)
        commits = "1 commit" if count == 1 else f"{count} commits"
        return _because(
            stay,
            f"it has {commits} of its own and the pull request went on to {new[:8]}: they are kept as they "
            f"are; rebase or merge by hand: git rebase {pullrefs.fetched(number)}",
        )
    kept = pullrefs.was(number, here)
    branches.set_ref(repo.git_dir, kept, here, env=env)
    reached(point("kept", "review"))
    stay = msgspec.structs.replace(stay, kept=kept)
    return _moved(repo, path, stay, number, new, ("reset", "--keep", "--quiet", new), env)


def _moved(
    repo: Repo, path: str, stay: Refreshed, number: int, new: str, args: tuple[str, ...], env: Env
) -> Refreshed:
    try:
        calling.write(in_tree(path), args, env=env)
    except Conflict as error:
        return _because(stay, f"uncommitted changes or untracked files are in the way: {error.message}")
    except ZdriverError as error:
        if _says_in_the_way(error.message):
            return _because(stay, f"uncommitted changes are in the way: {error.message}")
        raise
    reached(point("moved", "review"))
    _note(repo, number, new)
    return msgspec.structs.replace(stay, updated=True)


def _says_in_the_way(message: str) -> bool:
    """git-reset(1) --keep: "Entry 'x' not uptodate. Cannot merge."."""
    return "not uptodate" in message or "would be overwritten" in message


def _note(repo: Repo, number: int, new: str) -> None:
    branches.set_ref(repo.git_dir, pullrefs.head(number), new)


def _because(stay: Refreshed, reason: str) -> Refreshed:
    return msgspec.structs.replace(stay, reason=reason)


def _is_ancestor(own: str, old: str, new: str, env: Env) -> bool:
    if not old or not new:
        return False
    args = ("merge-base", "--is-ancestor", old, new)
    return calling.read(("--git-dir", own), args, env=env, ok=(0, 1)).code == 0


def _count(own: str, here: str, known: str, new: str, env: Env) -> int:
    others = [commit for commit in (known, new) if commit]
    args = ("rev-list", "--count", here, "--not", *others, "--remotes")
    return int(calling.read(("--git-dir", own), args, env=env).text())
