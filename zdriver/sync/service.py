"""Shared configuration: `SyncApi`, the `Linker` of worktrees, and what the watching asks."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Set
from typing import Protocol

from zdriver.core import paths as places
from zdriver.core.errors import Conflict, NotFound, Unavailable, ZdriverError
from zdriver.core.ids import new_id
from zdriver.git import excludes
from zdriver.storage.host import host_id
from zdriver.storage.port import Store
from zdriver.sync import answers
from zdriver.sync import sources as shared
from zdriver.sync.application import Application
from zdriver.sync.doing import Doing
from zdriver.sync.model import FOLDER, SHOWN, Applied, Obstacle, SyncStatus
from zdriver.sync.records import Home, Known, Records, Tree, within
from zdriver.sync.sources import Scope, Sources
from zdriver.sync.steps import reach
from zdriver.sync.task import Task, summary
from zdriver.worktrees.model import Linked, Repo, Worktree
from zdriver.worktrees.ports import Guard

log = logging.getLogger(__name__)


class Registered(Protocol):
    """Which repository and worktree a caller means. `worktrees.registry.Registry` is one."""

    def repo(self, cwd: str = "") -> Repo: ...

    def find(self, name: str = "", cwd: str = "") -> tuple[Repo, Worktree]: ...

    def reconciled(self, repo: Repo) -> tuple[tuple[Worktree, ...], tuple[Worktree, ...]]: ...

    def take_in(self, repo: Repo, foreign: Worktree) -> Worktree: ...


class SyncService:
    """Thread-safe; one application at a time per container."""

    def __init__(
        self, store: Store, registry: Registered, guard: Guard | None = None, *, host: str = ""
    ) -> None:
        self._records = Records(store, host or host_id())
        self._registry = registry
        self._guard = guard
        self._locks: dict[str, threading.RLock] = {}
        self._locking = threading.Lock()
        #: Container → the links that its sync/ has, and what was at their ends.
        self._links: dict[str, dict[str, int]] = {}
        #: Why changes in a container are not followed; "" when they are. Set by the watching.
        self.unwatched: Callable[[str], str] = lambda _container: "the daemon does not follow it"
        #: Told which container was dealt with: it may have a sync/ by now. Set by the watching.
        self.dealt_with: Callable[[str], None] = lambda _container: None

    # ---- SyncApi ------------------------------------------------------------------------

    def status(self, *, cwd: str = "") -> SyncStatus:
        container = self._container(cwd)
        there = shared.exists(container)
        self._refuse_empty(container, self._homes(container))
        rules = shared.load_rules(container)
        found = shared.scan(container, rules)
        work = Application(container, found, self._records.made)
        tasks = [task for home in self._homes(container) for task in self._tasks(work, home, found, None)]
        obstacles = [each for task in tasks for each in task.obstacles]
        return SyncStatus(
            container=container,
            folder=f"{container}/{FOLDER}",
            exists=there,
            unwatched=self.unwatched(container) if there else "",
            files=len(found.files),
            hidden=tuple(found.hidden),
            refused=tuple(found.refused),
            remarks=tuple(found.remarks),
            worktrees=tuple(summary(task) for task in tasks),
            obstacles=tuple(obstacles[:SHOWN]),
        )

    def apply(self, *, cwd: str = "") -> Applied:
        return self.bring(self._container(cwd))

    def repair(
        self,
        name: str = "",
        *,
        paths: tuple[str, ...] = (),
        force: bool = False,
        token: int = 0,
        cwd: str = "",
        agent: str = "",
    ) -> Applied:
        if name:
            repo, worktree = self._registry.find(name, cwd)
        else:
            repo, worktree = self._registry.repo(cwd), None
        container, only = self._container(cwd, repo), worktree.id if worktree else ""
        if not force:
            return self.bring(container, only=only)
        held: list[Obstacle] = []

        def allowed(tree: Tree) -> bool:
            try:
                if self._guard is not None:
                    self._guard.check(tree.id, agent=agent, token=token)
            except Conflict as error:
                if worktree is not None:
                    raise
                held.append(Obstacle(worktree=tree.name, path="", reason=error.message, hint=error.hint))
                return False
            return True

        wanted = None if not paths else frozenset(path.removeprefix("./") for path in paths)
        return self.bring(
            container,
            only=only,
            named=wanted or frozenset(),
            force=lambda tree: wanted if allowed(tree) else frozenset(),
            beside=held,
        )

    # ---- Linker -------------------------------------------------------------------------

    def link(self, worktree: Worktree, repo: Repo) -> Linked:
        """Never raises for what is in sync/: a worktree is made all the same, and told what is wrong."""
        self.dealt_with(repo.container)
        try:
            nothing = not shared.exists(repo.container) and not shared.is_empty(repo.container)
            if nothing and not self._records.of(worktree.id):
                return Linked()
            tree = Tree(worktree.id, worktree.name, worktree.path)
            tasks: list[Task] = []
            with self._lock(repo.container):
                self._refuse_empty(repo.container, self._homes(repo.container))
                rules = shared.load_rules(repo.container)
                found = shared.scan(repo.container, rules)
                work = Application(repo.container, found, self._records.made)
                tasks.append(work.task(tree, self._records.of(tree.id)))
                self._carry_out(work, _home(repo), tasks)
        except ZdriverError as error:
            return Linked(conflicts=(f"{error.message}; {error.hint}",))
        return answers.linked(tasks[0])

    def unlink(self, worktree: Worktree, repo: Repo) -> int:
        tree = Tree(worktree.id, worktree.name, worktree.path)
        with self._lock(repo.container):
            work = Application(repo.container, Sources(), self._records.made)
            tasks = [work.task(tree, self._records.of(tree.id))]
            self._carry_out(work, _home(repo), tasks, tell=False)
            task = tasks[0]
            if not task.failures:  # of a folder that is gone nothing was looked at
                rows = {(tree.id, path) for path in task.recorded}
                excludes.change(repo.git_dir, (), self._nowhere(repo.id, rows))
                self._records.forget(tree.id)
        return len(task.removed)

    # ---- what the watching asks -----------------------------------------------------------

    def trees(self) -> dict[str, dict[str, str]]:
        """Container → id and path of each worktree that is ready, for all repositories of this machine."""
        found: dict[str, dict[str, str]] = {}
        for home in self._records.homes():
            trees = self._records.trees(home.id)
            found.setdefault(home.container, {}).update((tree.id, tree.path) for tree in trees)
        return found

    def bring(
        self,
        container: str,
        scope: Scope = None,
        *,
        only: str = "",
        named: Set[str] = frozenset(),
        force: Callable[[Tree], Set[str] | None] | None = None,
        beside: Iterable[Obstacle] = (),
    ) -> Applied:
        """Apply to all worktrees of a container.

        scope   only these paths (relative to sync/global and sync/repo) and what is below them
        only    id of the one worktree that is meant
        named   paths that must be shared. Raises NotFound
        force   paths at which a worktree's own may be replaced; None: all
        beside  more obstacles to tell of, filled while this runs
        """
        with self._lock(container):
            shared.exists(container)
            homes = self._homes(container)
            if scope is None:
                self._refuse_empty(container, homes)
            rules = shared.load_rules(container)
            if scope is not None:
                scope = (*scope, *self._turned(container))
            found = shared.scan(container, rules, self._covered(homes, scope))
            self._remember(container, found)
            if unknown := sorted(named - found.files.keys()):
                raise NotFound(
                    f"{FOLDER}/ shares no {unknown[0]!r}", hint="`zdriver sync` shows what it does"
                )
            work = Application(container, found, self._records.made)
            aside = str(places.data_dir() / "aside" / new_id())
            tasks: list[Task] = []
            for home in homes:
                mine = self._tasks(work, home, found, force or (lambda _tree: frozenset()), only)
                everything = scope is None and not only
                self._carry_out(work, home, mine, aside=aside, everything=everything)
                tasks += mine
                if everything and (gone := self._records.removed(home.id)):
                    excludes.change(home.git_dir, (), self._records.nowhere(home.id, gone))
                    self._records.forget_removed(home.id)
        return answers.applied(container, found, tasks, aside, tuple(beside))

    # ---- inside -------------------------------------------------------------------------

    def _container(self, cwd: str, repo: Repo | None = None) -> str:
        """Where a caller stands; worktrees that were made by other means belong to it from now on."""
        repo = repo or self._registry.repo(cwd)
        for foreign in self._registry.reconciled(repo)[1]:
            self._registry.take_in(repo, foreign)
        self.dealt_with(repo.container)
        return repo.container

    def _lock(self, container: str) -> threading.RLock:
        with self._locking:
            return self._locks.setdefault(container, threading.RLock())

    def _homes(self, container: str) -> list[Home]:
        return [home for home in self._records.homes() if home.container == container]

    def _refuse_empty(self, container: str, homes: list[Home]) -> None:
        """What was shared may be on a disk that is not mounted. Raises Unavailable."""
        if shared.is_empty(container) and any(self._records.any(home.id) for home in homes):
            raise Unavailable(
                f"{container}/{FOLDER} is empty, and worktrees have links into it; they are kept",
                hint="mount what belongs there; or, if nothing is shared any more, remove that folder",
            )

    def _turned(self, container: str) -> list[str]:
        """Paths of links in sync/ that lead to something else by now: nothing happened to them themselves."""
        known = self._links.get(container, {})
        return [
            link.partition("/")[2] for link, end in known.items() if shared.end_of(container, link) != end
        ]

    def _remember(self, container: str, found: Sources) -> None:
        known = {} if found.scope is None else self._links.get(container, {})
        kept = {
            link: end
            for link, end in known.items()
            if found.scope is not None and not within(link.partition("/")[2], found.scope)
        }
        self._links[container] = kept | found.links

    def _nowhere(self, repo: str, rows: Set[tuple[str, str]]) -> list[str]:
        return self._records.nowhere(repo, (path for _, path in rows), but=rows)

    def _covered(self, homes: list[Home], scope: Scope) -> Scope:
        """Where a folder of sync/ was linked as a whole, or a file is a folder by now, that one is meant."""
        above = {each for path in scope or () for each in shared.parents(path)}
        if scope is None or not above:
            return scope
        linked = {each for home in homes for each in above.difference(self._records.nowhere(home.id, above))}
        return tuple(next((each for each in shared.parents(path) if each in linked), path) for path in scope)

    def _tasks(
        self,
        work: Application,
        home: Home,
        found: Sources,
        force: Callable[[Tree], Set[str] | None] | None,
        only: str = "",
    ) -> list[Task]:
        scope = None if found.scope is None or "" in found.scope else found.scope
        known: Known = self._records.known(home.id, scope)
        trees = [tree for tree in self._records.trees(home.id) if only in ("", tree.id)]
        return [
            work.task(tree, known.get(tree.id, {}), frozenset() if force is None else force(tree))
            for tree in trees
        ]

    def _carry_out(
        self,
        work: Application,
        home: Home,
        tasks: list[Task],
        *,
        aside: str = "",
        tell: bool = True,
        everything: bool = False,
    ) -> None:
        """`tasks` become what was done. `everything`: they are all there is of the repository.

        A path has a row before it is out of `git status`, and is out of it before something is there;
        backwards in the same way. So whatever is left by a kill, its row knows it.
        """
        tasks[:] = [work.mended(task) for task in tasks]
        begun = [entry for task in tasks for entry in task.begun]
        replacing = [entry for task in tasks for entry in task.replacing]
        self._records.begin(begun)
        self._records.begin_replacing(replacing)
        if begun or replacing:
            reach("begun")
        ours = [entry.path for entry in (*begun, *replacing)]
        ours += [each.path for task in tasks for each in task.plan.settles]
        if everything:  # somebody may have taken them out
            ours += [path for task in tasks for path in task.plan.standing]
        excludes.change(home.git_dir, ours)
        reach("excluded")
        Doing(home.container).carry_out(tasks, aside)
        reach("done")
        self._note(home, tasks, tell)

    def _note(self, home: Home, tasks: list[Task], tell: bool) -> None:
        done = [entry for task in tasks for entry in (*task.made, *task.updated, *task.settled)]
        gone = {(task.tree.id, path) for task in tasks for path in task.forgotten}
        event = answers.event(home, tasks) if tell else None
        try:
            excludes.change(home.git_dir, (), self._nowhere(home.id, gone))
        except ZdriverError:  # what is gone stays known, so that the next application does it
            self._records.end(done, [], event)
            raise
        reach("shown")
        self._records.end(done, sorted(gone), event)
        reach("told")


def _home(repo: Repo) -> Home:
    return Home(repo.id, repo.git_dir, repo.trunk or repo.git_dir, repo.container)
