"""Which branch a new worktree gets, and what it begins at. Asks git, changes nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from zdriver.core.errors import Ambiguous, Conflict, NotFound, ZdriverError
from zdriver.git import branches, refs, repos
from zdriver.git.repository import worktree_top
from zdriver.worktrees import rules
from zdriver.worktrees.model import Repo
from zdriver.worktrees.registry import Registry

Env = Mapping[str, str] | None


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What `git worktree add` is told."""

    branch: str
    new: bool  #: the branch is made
    commit: str  #: that it stands at
    base: str  #: recorded: a branch that lives on, else a commit
    track: str = ""  #: "origin/feat-x": a new branch follows it
    warnings: tuple[str, ...] = ()


class Base(msgspec.Struct, frozen=True, kw_only=True):
    name: str  #: recorded
    commit: str


class Branching:
    """The question for one repository and one caller."""

    def __init__(self, registry: Registry, repo: Repo, *, cwd: str, env: Env = None) -> None:
        self._registry = registry
        self._repo = repo
        self._git_dir = repo.git_dir
        self._cwd = cwd
        self._env = env

    def start(self, branch: str, *, base: str, type_base: str = "") -> Start:
        """An existing branch is used, never overwritten: a local one, else that of a remote.

        base       as the caller gave it: branch, tag, commit, HEAD (the caller's), a worktree's name
        type_base  what its type begins from

        Raises NotFound, Conflict, and Ambiguous when several remotes have the branch.
        """
        commit = branches.local(self._git_dir, branch)
        if commit is not None:
            self._refuse_checked_out(branch)
            found = self._base_beside(base, type_base)
            said = (f"branch {branch} was there already: it is used as it is",)
            return Start(branch=branch, new=False, commit=commit, base=found, warnings=said)
        self._refuse_nested(branch)
        if self._may_be_on_remote(branch) and (track := self._on_remote(branch, base)):
            commit = branches.resolve(self._git_dir, track, self._env)
            if commit is not None:
                found = self._base_beside("" if base == track else base, type_base)
                said = (f"branch {branch} is taken from {track}, and follows it",)
                return Start(branch=branch, new=True, commit=commit, base=found, track=track, warnings=said)
        begin = self._given(base) if base else self._default(type_base)
        return Start(branch=branch, new=True, commit=begin.commit, base=begin.name)

    # ---- the branch ---------------------------------------------------------------------

    def _refuse_checked_out(self, branch: str) -> None:
        where = branches.checked_out_at(self._git_dir, branch)
        if where is None:
            return
        if not Path(where).is_dir():
            raise Conflict(
                f"git says that branch {branch} is checked out at {where}, which is gone",
                hint="`zdriver worktree repair` mends that",
            )
        raise Conflict(
            f"branch {branch} is checked out at {where}",
            hint="go there, or name another branch with --branch",
        )

    def _refuse_nested(self, branch: str) -> None:
        """git keeps branches as files: `feat/x` cannot be where `feat` is, nor the other way."""
        parts = branch.split("/")
        for end in range(1, len(parts)):
            above = "/".join(parts[:end])
            if branches.local(self._git_dir, above) is not None:
                raise Conflict(
                    f"there is a branch {above}, so git can make no branch {branch}",
                    hint="name another one with --branch, or set worktrees.branch to {type}-{name}",
                )
        below = Path(self._git_dir, "refs", "heads", branch)
        if below.is_dir() and any(files for _, _, files in os.walk(below)):
            raise Conflict(
                f"there are branches {branch}/…, so git can make no branch {branch}",
                hint="name another one with --branch",
            )

    def _may_be_on_remote(self, branch: str) -> bool:
        """Without a process; for nearly every new branch: no."""
        if refs.uses_reftable(self._git_dir):
            return True
        if any(each.joinpath(branch).is_file() for each in self._remote_folders()):
            return True
        try:
            return f"/{branch}\n".encode() in Path(self._git_dir, "packed-refs").read_bytes()
        except OSError:
            return False

    def _remote_folders(self) -> list[Path]:
        """A remote's name may have slashes: folders of folders are remotes, too."""
        top = Path(self._git_dir, "refs", "remotes")
        found = [each for each in top.iterdir() if each.is_dir()] if top.is_dir() else []
        return sorted(found) + sorted(sub for each in found for sub in each.iterdir() if sub.is_dir())

    def _on_remote(self, branch: str, base: str) -> str:
        """ "origin/feat-x", "" for none. Raises Ambiguous."""
        remotes = branches.remotes_with(self._git_dir, branch, self._env)
        names = [f"{remote}/{branch}" for remote in remotes]
        if base in names:
            return base
        if len(names) > 1:
            raise Ambiguous(
                f"several remotes have a branch {branch}: {', '.join(remotes)}",
                hint=f"say which: --from {names[0]}",
            )
        return names[0] if names else ""

    # ---- what it begins at --------------------------------------------------------------

    def _base_beside(self, base: str, type_base: str) -> str:
        """What an existing branch is compared with, and merged into."""
        if base:
            return self._given(base).name
        try:
            return self._default(type_base).name
        except ZdriverError:
            return self._repo.default_branch

    def _default(self, type_base: str) -> Base:
        """The type's base, else the default branch: the local one, else the remote's, else HEAD."""
        if type_base:
            return self._given(type_base)
        name = self._repo.default_branch
        if not (name and branches.local(self._git_dir, name)):
            name = self._registry.refreshed(self._repo).default_branch  # renamed since it was noted
        if name and (commit := branches.local(self._git_dir, name)):
            return Base(name=name, commit=commit)
        for remote in self._remote_folders() if name else ():
            full = f"{remote.name}/{name}"
            if commit := branches.resolve(self._git_dir, full, self._env):
                return Base(name=full, commit=commit)
        return self._given("HEAD")

    def _given(self, base: str) -> Base:
        """Raises NotFound, Conflict."""
        if base.startswith(("HEAD", "@")):
            return self._of_caller(base)
        commit = branches.resolve(self._git_dir, base, self._env)
        if commit is not None:
            # What is the same ref tomorrow is noted by its name, all else (main~2) by its commit.
            lasting = refs.valid_branch(base) and not commit.startswith(base)
            return Base(name=base if lasting else commit, commit=commit)
        found = rules.named(base, self._registry.worktrees(self._repo))
        if found is not None:
            return self._head_of(repos.git_dir_of(found.path))
        raise NotFound(
            f"there is no branch, commit or worktree {base!r} to begin from",
            hint="`git branch -a` shows branches, `zdriver worktree list` the worktrees",
        )

    def _of_caller(self, base: str) -> Base:
        """HEAD and what is counted from it: of the worktree the caller stands in, not the trunk's."""
        top = worktree_top(self._cwd)
        own = repos.git_dir_of(top) if top else self._git_dir
        if base in ("HEAD", "@"):
            return self._head_of(own)
        commit = branches.resolve(own, base, self._env)
        if commit is None:
            raise NotFound(f"there is no commit {base!r} to begin from", hint="`git log` shows commits")
        return Base(name=commit, commit=commit)

    def _head_of(self, own: str) -> Base:
        """own: a worktree's own git folder."""
        commit = branches.resolve(own, "HEAD", self._env)
        if commit is None:
            raise Conflict(
                "there is no commit yet to begin from", hint="make the first one: git commit --allow-empty"
            )
        symbolic = refs.symbolic(own, "HEAD") or ""
        return Base(name=symbolic.removeprefix("refs/heads/") or commit, commit=commit)
