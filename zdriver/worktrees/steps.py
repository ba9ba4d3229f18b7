"""The named steps of making a worktree: what is done when one is reached.

A process may be killed between any two of them; `zdriver.core.killpoint` does that in tests.
What a killed creation left is told from outside (what git lists, what lies in the folder), so
that only its beginning and its end are written to the store.
"""

from __future__ import annotations

#: Reached in this order. `worktrees.add:NAME` is the point at which a test kills.
CREATION = (
    "begun",  #: the row stands in the store; nothing was done yet
    "container",  #: the folder that worktrees lie in is there
    "checked-out",  #: git made branch, folder and files
    "linked",  #: sync/ was applied
    "provided",  #: files were copied, ports leased
    "ready",  #: the store says so, `worktree.created` with it
)


def point(step: str) -> str:
    """For `killpoint.reached`. Raises ValueError for a step that is not listed."""
    CREATION.index(step)
    return f"worktrees.add:{step}"
