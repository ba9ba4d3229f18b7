"""What one worktree needs, and what of it was done; how an obstacle and a failure are told."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Set

import msgspec

from zdriver.sync.model import FOLDER, RULES, Failure, Obstacle, Synced
from zdriver.sync.planner import Conflict, Plan, Recorded, Wanted
from zdriver.sync.records import Entry, Tree


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
    def begun(self) -> list[Entry]:
        """Rows to write before anything is made."""
        return [
            Entry(self.tree.id, make.path, make.want, self.folders.get(make.path, 0))
            for make in self.plan.makes
        ]

    @property
    def replacing(self) -> list[Entry]:
        """Rows to write before anything is replaced."""
        return [Entry(self.tree.id, replace.path, replace.want) for replace in self.plan.replaces]

    @property
    def touched(self) -> bool:
        """Whether the worktree is another one than before."""
        return bool(self.made or self.updated or self.removed)


def ours(was: Recorded, *wants: Wanted) -> set[str]:
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


def obstacle(tree: Tree, conflict: Conflict) -> Obstacle:
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


def failure(container: str, tree: Tree, path: str, error: OSError) -> Failure:
    shared = str(error.filename).startswith(f"{container}/{FOLDER}/")
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
