"""What is said of an application: to who asked, to who made a worktree, and as an event."""

from __future__ import annotations

import os

from zdriver.storage.port import Event
from zdriver.sync.model import SHOWN, Applied, Obstacle
from zdriver.sync.records import Home
from zdriver.sync.sources import Sources
from zdriver.sync.task import Task
from zdriver.worktrees.model import Linked


def linked(task: Task) -> Linked:
    made = [task.recorded[path].kind for path in task.plan.standing]
    made += [entry.want.kind for entry in (*task.made, *task.updated, *task.settled)]
    told = [f"{each.path}: {each.reason}; {each.hint}" for each in task.obstacles]
    told += [f"{each.path}: {each.reason}; {each.hint}" for each in task.failures]
    told += [task.trouble] if task.trouble else []
    return Linked(links=made.count("link"), copies=made.count("copy"), conflicts=tuple(told))


def event(home: Home, tasks: list[Task]) -> Event | None:
    touched = [task for task in tasks if task.touched or task.forgotten]
    if not any(task.touched for task in touched):
        return None
    return Event(
        type="sync.applied",
        aggregate=f"repo:{home.id}",
        payload={
            "repo": home.name,
            "container": home.container,
            "made": sum(len(task.made) for task in tasks),
            "updated": sum(len(task.updated) for task in tasks),
            "removed": sum(len(task.removed) for task in tasks),
            "obstacles": sum(len(task.obstacles) for task in tasks),
            "failures": sum(len(task.failures) for task in tasks),
            "worktrees": [task.tree.name for task in touched if task.touched],
        },
    )


def applied(
    container: str, found: Sources, tasks: list[Task], aside: str, beside: tuple[Obstacle, ...]
) -> Applied:
    obstacles = (*beside, *(each for task in tasks for each in task.obstacles))
    failures = [each for task in tasks for each in task.failures]
    more = max(0, len(obstacles) - SHOWN) + max(0, len(failures) - SHOWN)
    return Applied(
        container=container,
        made=sum(len(task.made) for task in tasks),
        updated=sum(len(task.updated) for task in tasks),
        removed=sum(len(task.removed) for task in tasks),
        kept=tuple(path for task in tasks for path in task.kept),
        aside=aside if os.path.isdir(aside) else "",  # noqa: PTH112 as text
        worktrees=tuple(task.tree.name for task in tasks if task.touched),
        refused=tuple(found.refused),
        obstacles=tuple(obstacles[:SHOWN]),
        failures=tuple(failures[:SHOWN]),
        more=more,
    )
