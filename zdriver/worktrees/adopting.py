"""`adopt`: a worktree made by other means is taken into the registry, and stays where it is."""

from __future__ import annotations

import msgspec

from zdriver.core.errors import Conflict, NotFound
from zdriver.git.repository import worktree_top
from zdriver.worktrees import rules
from zdriver.worktrees.model import Worktree
from zdriver.worktrees.registry import Registry


def adopt(registry: Registry, path: str, *, type: str, agent: str, request: str = "") -> Worktree:
    """path: absolute, the worktree or a folder in it. Adopted already: as it is registered.

    Raises NotFound, and Conflict for the trunk and for one that has another type already.
    """
    top = worktree_top(path)
    if top is None:
        raise NotFound(f"{path} is in no git worktree", hint="`git worktree list` shows what there is")
    if type:
        rules.known_type(type, registry.types())
    repo = registry.repo(top)
    known, foreign = registry.reconciled(repo)
    for each in known:
        if each.path == top:
            if each.trunk:
                raise Conflict(f"{top} is the trunk of its repository", hint="nothing has to be adopted")
            if not each.agent:  # a name led to it, which registered it: now it is somebody's
                return registry.taken_over(each, agent=agent, type=type or each.type)
            if type and each.type != type:
                raise Conflict(
                    f"{each.name} is registered already, with the type {each.type}",
                    hint="nothing was changed",
                )
            return each
    for each in foreign:
        if each.path == top:
            wanted = msgspec.structs.replace(each, type=type) if type else each
            return registry.take_in(repo, wanted, agent=agent, request=request)
    raise NotFound(
        f"git does not list {top} as a worktree of {repo.trunk or repo.git_dir}",
        hint="zdriver worktree repair mends links that broke",
    )
