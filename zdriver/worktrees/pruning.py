"""Which worktrees have done their work, or are only a memory: merged, gone, orphaned."""

from __future__ import annotations

import os

from zdriver.core.errors import ZdriverError
from zdriver.git import branches, calling
from zdriver.git.landed import Landed
from zdriver.git.targets import in_repo
from zdriver.worktrees.journal import Journal
from zdriver.worktrees.model import Prunable, Repo, Worktree
from zdriver.worktrees.registry import Registry

_HOW: dict[Landed, str] = {"ancestor": "", "squash": " by squash", "rebase": " by rebase"}


class Pruning:
    def __init__(self, registry: Registry, journal: Journal) -> None:
        self._registry = registry
        self._journal = journal

    def candidates(self, repo: Repo) -> tuple[Prunable, ...]:
        """By what their branches say, and their folders; whether they may go is looked at one by one."""
        seen = self._registry.seen(repo)
        known, _ = self._registry.reconcile(repo, seen)
        by_path = {each.path: each for each in seen}
        gone = _upstreams_gone(repo)
        found = []
        for each in known:
            if each.trunk or each.state != "ready":
                continue
            listed = by_path.get(each.path)
            if not os.path.lexists(each.path):
                reason = "its folder is gone"
            elif listed is None:
                continue  # its folder is there, and git does not know it: for `repair`, not for us
            else:
                reason = self._done(repo, each, listed.branch, listed.head, listed.branch in gone)
            if reason:
                found.append(Prunable(worktree=each, reason=reason))
        paths = {each.path for each in known}
        orphans = [
            each
            for each in seen
            if not (each.there or each.bare or each.path in paths or each.path == repo.trunk)
            and each.locked is None
        ]
        unknown = self._registry.as_worktrees(repo, orphans, known)
        return (
            *found,
            *(Prunable(worktree=each, reason="only git knows it, its folder is gone") for each in unknown),
        )

    def _done(self, repo: Repo, worktree: Worktree, branch: str, head: str, upstream_gone: bool) -> str:
        """Why a worktree whose folder is there has served; "" when it has not."""
        if not branch or not head:
            return ""
        _, made_at = self._journal.head_of(worktree)
        for base in dict.fromkeys((worktree.base, repo.default_branch)):
            if not base or base == branch:
                continue
            try:
                how = branches.landed(repo.git_dir, branch, base)
            except ZdriverError:  # the base is gone
                continue
            # One that stands where it was made has nothing merged: it has not been used yet.
            if how and head != made_at and not (how == "ancestor" and not made_at):
                return f"merged into {base}{_HOW[how]}"
        if upstream_gone and not branches.unpushed(repo.git_dir, branch, repo.default_branch):
            return "its branch on the remote is gone, and no commit is only here"
        return ""


def _upstreams_gone(repo: Repo) -> set[str]:
    """Branches that follow one which the remote had, and has no more."""
    args = ("for-each-ref", "--format=%(upstream:track) %(refname)", "refs/heads/")
    lines = calling.read(in_repo(repo.git_dir), args).lines()
    mark = "[gone] refs/heads/"
    return {line.removeprefix(mark) for line in lines if line.startswith(mark)}
