"""Carrying out what was planned, in one worktree after the other.

Several at once would not be faster: measured, 100 links of two threads take as long as those of one.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

import msgspec

from zdriver.sync.hands import Hands, InTheWay
from zdriver.sync.planner import Conflict, Replace, Wanted
from zdriver.sync.records import Entry
from zdriver.sync.steps import reach
from zdriver.sync.task import Task, failure, obstacle, ours

#: Nothing more can be done in that worktree.
_ENDS = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE)
)


class Doing:
    """For one container."""

    def __init__(self, container: str) -> None:
        self._container = container

    def carry_out(self, tasks: Sequence[Task], aside: str) -> None:
        """The whole plans, as far as the system lets it. aside: folder for what `forced` ones replace."""
        for task in tasks:
            if not task.plan.empty:
                self._one(task, aside)

    def _one(self, task: Task, aside: str) -> None:
        tree = task.tree
        try:
            with Hands(tree.path, self._container, tree.id) as hands:
                for step in (self._remove, self._replace, self._make, self._settle):
                    step(task, hands, aside)
        except OSError as error:
            task.failures.append(failure(self._container, tree, error.filename or "", error))
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
                    hands.settle(make.path, ours(task.recorded[make.path], make.want))
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
            hands.settle(path, ours(task.recorded[path], *wants))
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
                obstacle(task.tree, Conflict(path, "something came there meanwhile", False))
            )
            return
        if error.errno in _ENDS:
            error.filename = path
            raise error
        task.failures.append(failure(self._container, task.tree, path, error))
