"""One application of sync/ to worktrees: look, plan, write down what is begun, do it, write down what came.

Killed anywhere, what was begun is known as ours by its row, and the next application goes on from what
it finds.
"""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Callable, Set
from contextlib import suppress
from functools import cache, partial

import msgspec

from zdriver.core.errors import ZdriverError
from zdriver.git.tracked import tracked
from zdriver.sync.hands import Hands, InTheWay
from zdriver.sync.looking import Look
from zdriver.sync.model import FOLDER, RULES, Failure, Obstacle, Synced
from zdriver.sync.planner import Conflict, Found, Plan, Recorded, Replace, Wanted, is_ours, plan
from zdriver.sync.records import Entry, Tree
from zdriver.sync.sources import Source, Sources, digest
from zdriver.sync.steps import reach

#: Nothing more can be done in that worktree.
_ENDS = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE)
)


class Task(msgspec.Struct, kw_only=True):
    """What one worktree needs, and then what it got."""

    tree: Tree
    plan: Plan = Plan()
    recorded: dict[str, Recorded] = {}
    force: Set[str] | None = frozenset()  #: paths at which its own may be replaced; None: all of them
    folders: dict[str, int] = {}  #: of those to make: how many folders are made for it
    trouble: str = ""  #: why nothing can be done
    made: list[Entry] = []
    updated: list[Entry] = []
    settled: list[Entry] = []
    removed: list[str] = []
    forgotten: list[str] = []  #: rows to drop
    kept: list[str] = []
    obstacles: list[Obstacle] = []
    failures: list[Failure] = []

    @property
    def touched(self) -> bool:
        """Whether the worktree is another one than before."""
        return bool(self.made or self.updated or self.removed)


class Application:
    """For one container. One at a time per container: the service sees to that."""

    def __init__(self, container: str, sources: Sources, made: Callable[[str, str], bool]) -> None:
        """made: whether a folder (relative) of a worktree (id) was made for what was put into it."""
        self._container = container
        self._made = made
        self._real = os.path.realpath(container)
        self._sources = sources
        self._digests: dict[str, str] = {}

    # ---- planning -----------------------------------------------------------------------

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
                        hands.settle(path, _ours(task.recorded[path]))
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
        task.obstacles += [self._obstacle(tree, conflict) for conflict in task.plan.conflicts]

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
                task.failures.append(self._failure(task.tree, source.path, error))
                return None
        return self._digests[source.path]

    def _obstacle(self, tree: Tree, conflict: Conflict) -> Obstacle:
        ignore = f'"{conflict.path}" = "ignore" in {FOLDER}/{RULES} ends this'
        path = shlex.quote(conflict.path)
        if conflict.reason == "git tracks it":
            hint = f"`git rm --cached -- {path}` there lets it be shared; {ignore}"
        elif conflict.forcible:
            force = f"zdriver sync repair {shlex.quote(tree.name)} --path {path} --force"
            hint = f"`{force}` keeps it aside and puts the shared one there; {ignore}"
        else:
            hint = f"move it away; {ignore}"
        return Obstacle(
            worktree=tree.name,
            path=conflict.path,
            reason=conflict.reason,
            hint=hint,
            forcible=conflict.forcible,
        )

    # ---- doing --------------------------------------------------------------------------

    def begun(self, task: Task) -> list[Entry]:
        """Rows to write before anything is made."""
        return [
            Entry(task.tree.id, make.path, make.want, task.folders.get(make.path, 0))
            for make in task.plan.makes
        ]

    def replacing(self, task: Task) -> list[Entry]:
        """Rows to write before anything is replaced."""
        return [Entry(task.tree.id, replace.path, replace.want) for replace in task.plan.replaces]

    def carry_out(self, task: Task, aside: str) -> None:
        """The whole plan, as far as the system lets it. aside: folder for what `forced` ones replace."""
        if task.plan.empty:
            return
        tree = task.tree
        try:
            with Hands(tree.path, self._container, tree.id) as hands:
                for step in (self._remove, self._replace, self._make, self._settle):
                    step(task, hands, aside)
        except OSError as error:
            task.failures.append(self._failure(tree, error.filename or "", error))
        done = {entry.path for entry in (*task.made, *task.updated, *task.settled)}
        # What was begun and not made is nobody's.
        begun = [make.path for make in task.plan.makes]
        begun += [each.path for each in task.plan.replaces if each.path not in task.recorded]
        task.forgotten += [path for path in begun if path not in done]

    def _remove(self, task: Task, hands: Hands, _aside: str) -> None:
        for remove in task.plan.removals:
            try:
                hands.remove(remove.path, remove.was, remove.was.folders)
            except FileNotFoundError:
                pass  # somebody else did
            except OSError as error:
                self._failed(task, remove.path, error)
                continue
            task.removed.append(remove.path)
            task.forgotten.append(remove.path)
            reach("removed")

    def _replace(self, task: Task, hands: Hands, aside: str) -> None:
        for replace in task.plan.replaces:
            try:
                was = replace.was
                if replace.forced:
                    was = hands.keep(replace.path, f"{aside}/{task.tree.name}/{replace.path}")
                content = hands.replace(replace.path, replace.want, was)
            except OSError as error:
                self._failed(task, replace.path, error)
                continue
            task.updated.append(self._entry(task, replace, content))
            reach("replaced")

    def _make(self, task: Task, hands: Hands, _aside: str) -> None:
        for make in task.plan.makes:
            try:
                if make.begun:
                    hands.settle(make.path, _ours(task.recorded[make.path], make.want))
                content = hands.make(make.path, make.want)
            except OSError as error:
                hands.clear(make.path, task.folders.get(make.path, 0))
                self._failed(task, make.path, error)
                continue
            want = msgspec.structs.replace(make.want, content=content)
            task.made.append(Entry(task.tree.id, make.path, want, task.folders.get(make.path, 0)))
            reach("made")

    def _settle(self, task: Task, hands: Hands, _aside: str) -> None:
        for settle in task.plan.settles:
            if not self._cleared(task, hands, settle.path, settle.want):
                continue
            entry = Entry(task.tree.id, settle.path, settle.want, task.recorded[settle.path].folders)
            (task.made if settle.begun else task.settled).append(entry)
        for forget in task.plan.forgets:
            was = task.recorded[forget.path]
            if not self._cleared(task, hands, forget.path):
                continue
            if forget.why == "gone":
                hands.clear(forget.path, was.folders)
            task.forgotten.append(forget.path)
            if forget.why == "changed" and was.kind == "copy" and was.done:
                task.kept.append(f"{task.tree.name}/{forget.path}")

    def _cleared(self, task: Task, hands: Hands, path: str, *wants: Wanted) -> bool:
        try:
            hands.settle(path, _ours(task.recorded[path], *wants))
        except OSError as error:
            self._failed(task, path, error)
            return False
        return True

    def _entry(self, task: Task, replace: Replace, content: str) -> Entry:
        want = msgspec.structs.replace(replace.want, content=content)
        return Entry(task.tree.id, replace.path, want)

    def _failed(self, task: Task, path: str, error: OSError) -> None:
        """Raises it again when no other path will do better."""
        if isinstance(error, InTheWay | FileExistsError):
            task.obstacles.append(
                self._obstacle(task.tree, Conflict(path, "something came there meanwhile", False))
            )
            return
        if error.errno in _ENDS:
            error.filename = path
            raise error
        task.failures.append(self._failure(task.tree, path, error))

    def _failure(self, tree: Tree, path: str, error: OSError) -> Failure:
        shared = str(error.filename).startswith(f"{self._container}/{FOLDER}/")
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = f"make room on the disk of {tree.path}"
        elif error.errno == errno.EROFS:
            hint = f"mount the disk of {tree.path} with the right to write"
        elif shared:
            hint = f"see that {error.filename} can be read"
        else:
            hint = f"give yourself the right to write in {tree.path}"
        again = f"{hint}, then `zdriver sync apply`"
        return Failure(worktree=tree.name, path=path, reason=error.strerror or str(error), hint=again)


def _ours(was: Recorded, *wants: Wanted) -> set[str]:
    """Link texts and SHA-256 of what was put there, or is to be."""
    return {was.content, *(each.content for each in (was.next, *wants) if each is not None)}


def summary(task: Task) -> Synced:
    """How one worktree stands, by its plan."""
    needed = task.plan
    kinds = [task.recorded[path].kind for path in needed.standing]
    return Synced(
        name=task.tree.name,
        path=task.tree.path,
        links=kinds.count("link"),
        copies=kinds.count("copy"),
        missing=len(needed.makes) + len(needed.replaces) + len(needed.removals) + len(needed.settles),
        changed=len(needed.changed),
        obstacles=len(needed.conflicts),
        trouble=task.trouble,
    )


def _standing(want: Wanted | None, was: Recorded | None, seen: Found) -> bool:
    """As it should be, so that it does not matter whether git tracks it."""
    return (
        want is not None
        and was is not None
        and is_ours(was, seen)
        and (was.kind, was.content) == (want.kind, want.content)
    )
