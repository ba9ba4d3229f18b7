"""`merge`: a worktree's branch into its base, locally, guarded like a removal, then removed.

git's part is all or nothing (`git.landing`), and done twice it is done once: a merge whose process
was killed is simply asked for again.
"""

from __future__ import annotations

from typing import cast

import msgspec

from zdriver.core.errors import Conflict, InvalidInput
from zdriver.core.killpoint import reached
from zdriver.git import branches, landing
from zdriver.worktrees import removal_rules
from zdriver.worktrees.inspecting import Asking, Seen
from zdriver.worktrees.model import Repo, Worktree
from zdriver.worktrees.ports import Guard
from zdriver.worktrees.registry import Registry
from zdriver.worktrees.steps import point

WAYS = ("merge", "squash", "rebase")


class Merging:
    def __init__(self, registry: Registry, guard: Guard | None) -> None:
        self._registry = registry
        self._guard = guard

    def check(self, repo: Repo, worktree: Worktree, seen: Seen, *, how: str, keep: bool) -> str:
        """The branch it goes into. Raises Conflict with every reason against it, InvalidInput."""
        if how not in WAYS:
            raise InvalidInput(f"there is no way to merge called {how!r}", hint="merge, squash or rebase")
        # Commits that are nowhere else are what a merge is for; and what stays may be worked in.
        found = msgspec.structs.replace(seen.findings, unpushed=0)
        if keep:
            found = msgspec.structs.replace(
                found, running=(), untracked=(), lock=None, holding=(), mounts=(), fixed="", foreign=False
            )
        reasons = list(removal_rules.reasons(found))
        if not seen.branch and not worktree.trunk:
            reasons.append(_reason("HEAD is detached, on no branch", "`git switch -c NAME` makes one"))
        if seen.findings.missing:
            reasons.append(_reason("its folder is gone", "`zdriver worktree prune`"))
        if reasons:
            raise removal_rules.refusal(worktree.name, tuple(reasons), verb="merged")
        return self._base(repo, worktree, seen.branch)

    def _base(self, repo: Repo, worktree: Worktree, branch: str) -> str:
        for base in (worktree.base, repo.default_branch):
            # A base may be given as origin/main: what is merged into is the local branch.
            for name in (base, base.partition("/")[2]):
                if name and name != branch and branches.local(repo.git_dir, name):
                    return name
        base = worktree.base or repo.default_branch
        raise Conflict(
            f"{worktree.name} is not merged: there is no local branch {base!r}",
            hint="make it (`git branch NAME origin/NAME`), or merge by hand",
        )

    def land(
        self, repo: Repo, worktree: Worktree, branch: str, base: str, how: str, asking: Asking
    ) -> landing.Landing:
        """Raises Conflict with the files; nothing was changed then."""
        at = branches.checked_out_at(repo.git_dir, base)
        if at is not None and self._guard is not None:
            for each in self._registry.worktrees(repo):
                if each.path == at:
                    self._guard.check(each.id, agent=asking.agent)
        _at("checked")
        landed = landing.land(repo.git_dir, branch, base, how=cast(landing.How, how), env=asking.env)
        _at("landed")
        return landed


def _reason(what: str, todo: str) -> removal_rules.Reason:
    return removal_rules.Reason(what=what, todo=todo)


def _at(step: str) -> None:
    reached(point(step, "merge"))
