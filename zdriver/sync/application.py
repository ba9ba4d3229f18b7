"""Planning an application of sync/: looked at one worktree after the other, written down what each needs.

Killed anywhere later, what was begun is known as ours by its row, and the next application goes on from
what it finds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Set
from contextlib import suppress
from functools import cache, partial

from zdriver.core.errors import ZdriverError
from zdriver.git.tracked import tracked
from zdriver.sync.hands import Hands
from zdriver.sync.looking import Look
from zdriver.sync.planner import Found, Recorded, Wanted, is_ours, plan
from zdriver.sync.records import Tree
from zdriver.sync.sources import Source, Sources, digest
from zdriver.sync.task import Task, failure, obstacle, ours


class Application:
    """For one container. One at a time per container: the service sees to that."""

    def __init__(self, container: str, sources: Sources, made: Callable[[str, str], bool]) -> None:
        """made: whether a folder (relative) of a worktree (id) was made for what was put into it."""
        self._container = container
        self._made = made
        self._real = os.path.realpath(container)
        self._sources = sources
        self._digests: dict[str, str] = {}

    def task(self, tree: Tree, recorded: dict[str, Recorded], force: Set[str] | None = frozenset()) -> Task:
        """What `tree` needs. force: paths at which its own may be replaced; None: all of them."""
        task = Task(tree=tree, recorded=recorded, force=force)
        if not os.path.isdir(tree.path):
            task.trouble = f"its folder {tree.path} is gone; zdriver worktree repair settles that"
            return task
        try:
            self._plan(task)
        except ZdriverError as error:
            task.trouble = error.message
        except OSError as error:
            task.trouble = f"{error.filename or tree.path} cannot be looked at: {error.strerror}"
        return task

    def mended(self, task: Task) -> Task:
        """The task, once what a killed application left beside its paths is out of the way."""
        left = [path for path, was in task.recorded.items() if not was.done or was.next is not None]
        if not left or task.trouble:
            return task
        try:
            with Hands(task.tree.path, self._container, task.tree.id) as hands:
                for path in left:
                    with suppress(OSError):  # met again, and told, when something is to be done there
                        hands.settle(path, ours(task.recorded[path]))
        except OSError:
            return task
        return self.task(task.tree, task.recorded, task.force)

    def _plan(self, task: Task) -> None:
        tree, recorded, force = task.tree, task.recorded, task.force
        wanted = self._wanted(tree, task)
        look = Look(tree.path, self._real)
        found = {
            path: look.at(path, wanted.get(path), recorded.get(path))
            for path in wanted.keys() | recorded.keys()
        }
        unclear = [path for path in found if not _standing(wanted.get(path), recorded.get(path), found[path])]
        task.plan = plan(
            wanted,
            recorded,
            found,
            tracked(tree.path, unclear),
            force=wanted.keys() if force is None else force,
        )
        nested = [make.path for make in task.plan.makes if "/" in make.path]
        if nested:
            made = cache(partial(self._made, tree.id))
            task.folders = {path: look.made_for(path, made) for path in nested}
        task.obstacles += [obstacle(tree, conflict) for conflict in task.plan.conflicts]

    def _wanted(self, tree: Tree, task: Task) -> dict[str, Wanted]:
        beside = tree.path.rpartition("/")[0] == self._real  # as nearly all of them are
        up = ".." if beside else os.path.relpath(self._real, os.path.realpath(tree.path))
        wanted = {}
        for path, source in self._sources.files.items():
            if source.kind == "link":
                text = f"{'../' * path.count('/')}{up}/{source.source}"
                wanted[path] = Wanted(source.source, "link", text)
            elif (content := self._digest(source, task)) is not None:
                wanted[path] = Wanted(source.source, "copy", content)
            elif path in task.recorded:  # unreadable for now: nothing is taken away for that
                was = task.recorded[path]
                wanted[path] = Wanted(was.source, was.kind, was.content)
        return wanted

    def _digest(self, source: Source, task: Task) -> str | None:
        if source.path not in self._digests:
            try:
                self._digests[source.path] = digest(f"{self._container}/{source.source}")
            except OSError as error:
                task.failures.append(failure(self._container, task.tree, source.path, error))
                return None
        return self._digests[source.path]


def _standing(want: Wanted | None, was: Recorded | None, seen: Found) -> bool:
    """As it should be, so that it does not matter whether git tracks it."""
    return (
        want is not None
        and was is not None
        and is_ours(was, seen)
        and (was.kind, was.content) == (want.kind, want.content)
    )
