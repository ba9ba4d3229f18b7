"""`add`: the worktree that is meant, made when it is not there yet."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from zdriver.core import requests
from zdriver.core.clock import to_datetime
from zdriver.core.errors import Conflict, InvalidInput, NotFound
from zdriver.git.tops import top_and_git_dir
from zdriver.storage.port import Transaction
from zdriver.worktrees import names, rules
from zdriver.worktrees.branching import Branching, Start
from zdriver.worktrees.creating import Creating, Wanted
from zdriver.worktrees.locks import Locks
from zdriver.worktrees.model import Added, PullRequest, Repo, Worktree
from zdriver.worktrees.ports import Guard
from zdriver.worktrees.registry import Registry
from zdriver.worktrees.repairing import Repairing


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller wants."""

    type: str
    name: str  #: as typed
    cwd: str
    agent: str
    base: str = ""
    branch: str = ""
    env: Mapping[str, str] | None = None
    request: str = ""
    pull_request: PullRequest | None = None
    start: Start | None = None  #: decided already; else `Branching` does

    def digest(self) -> str:
        return requests.digest("add", self.type, self.name, self.base, self.branch) if self.request else ""


class Adding:
    def __init__(
        self,
        registry: Registry,
        creating: Creating,
        repairing: Repairing,
        locks: Locks,
        guard: Guard | None,
        *,
        branch: Callable[[], str],
    ) -> None:
        """branch: the setting `worktrees.branch`."""
        self._registry = registry
        self._store = registry.store
        self._creating = creating
        self._repairing = repairing
        self._locks = locks
        self._guard = guard
        self._template = branch

    def add(self, asked: Asked) -> Added:
        """Raises InvalidInput, NotFound, Conflict, Unavailable, and what git says."""
        if asked.type == rules.REVIEW and asked.pull_request is None:
            raise InvalidInput("a review is of a pull request", hint="zdriver review PR fetches it")
        repo = self._registry.repo(asked.cwd)
        kind = rules.known_type(asked.type, self._registry.types())
        title = names.title(asked.name)
        safe = names.slug(title)
        name = names.folder(kind.name, safe)
        branch = (
            names.checked_branch(asked.branch)
            if asked.branch
            else names.branch(self._template(), kind.name, safe)
        )
        path = f"{repo.container.rstrip('/')}/{name}"
        with self._locks.held(repo.id, names.key(name)):
            if (known := self._known(repo, name, path, asked)) is not None:
                return self._again(known, title, asked)
            branching = Branching(self._registry, repo, cwd=asked.cwd, env=asked.env)
            wanted = Wanted(
                name=name,
                type=kind.name,
                title=title,
                path=path,
                start=asked.start or branching.start(branch, base=asked.base, type_base=kind.base),
                agent=asked.agent,
                pull_request=asked.pull_request,
                request=asked.request,
                digest=asked.digest(),
            )
            return self._creating.make(repo, wanted, asked.env)

    # ---- one that is there already --------------------------------------------------------

    def _known(self, repo: Repo, name: str, path: str, asked: Asked) -> Worktree | None:
        """The worktree of that name, ready; None when it has to be made. Raises Conflict."""
        found = self._registry.named(repo, name)
        if found is not None and found.state == "creating":
            self._repairing.settle(repo, found)
            found = self._registry.named(repo, name)
        if found is None:
            return self._by_other_means(repo, path)
        if found.state != "ready":
            raise Conflict(
                f"{name} is {found.state}: somebody is at it, or was killed at it",
                hint="wait for it, or settle it with zdriver worktree repair",
            )
        if os.path.lexists(f"{found.path}/.git"):
            return found
        known, _ = self._registry.reconcile(repo, self._registry.seen(repo))
        moved = next((each for each in known if each.id == found.id), None)
        if moved is None:
            return None
        if os.path.lexists(f"{moved.path}/.git"):
            return moved
        self._forget(repo, moved, asked.agent)
        return None

    def _by_other_means(self, repo: Repo, path: str) -> Worktree | None:
        """Where the folder should go, git has a worktree of this repository already."""
        real = os.path.realpath(path)
        if not os.path.lexists(f"{path}/.git") or top_and_git_dir(path) != (real, repo.git_dir):
            return None
        try:
            return self._registry.find(real, real)[1]
        except NotFound:
            return None

    def _forget(self, repo: Repo, worktree: Worktree, agent: str) -> None:
        """Its folder was deleted by other means: git and the registry let go of it."""
        if self._guard is not None:
            self._guard.check(worktree.id, agent=agent)
        if Path(worktree.path).is_dir():
            raise Conflict(
                f"{worktree.path} is there, but it is no git worktree any more",
                hint="move it away, or see what zdriver worktree repair says",
            )
        self._repairing.let_go(repo, worktree)

    def _again(self, known: Worktree, title: str, asked: Asked) -> Added:
        warnings: tuple[str, ...] = ()
        if names.key(known.title) not in (names.key(title), names.key(known.name)):
            warnings += (f"it was made as {known.title!r}",)
        if asked.branch and asked.branch != known.branch:
            warnings += (f"it is on branch {known.branch or '(none)'}, not {asked.branch}",)

        def unit(tx: Transaction) -> Added:
            now = tx.now()
            tx.run("worktree.used", id=known.id, at=now)
            used = msgspec.structs.replace(known, used_at=to_datetime(now))
            return Added(worktree=used, created=False, warnings=warnings)

        return self._store.write(unit, request=asked.request, digest=asked.digest(), result=Added)
