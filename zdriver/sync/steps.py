"""The named steps of an application: what is done when one is reached.

A process may be killed between any two of them; `zdriver.core.killpoint` does that in tests, which
take their cases from this list.
"""

from __future__ import annotations

from zdriver.core.killpoint import reached

#: In this order. `sync.apply:NAME` is the point at which a test kills.
STEPS = (
    "begun",  #: what is about to be made or replaced is recorded
    "excluded",  #: its path is out of `git status`
    "aside",  #: what goes was renamed, and not looked at again yet
    "removed",  #: it is gone
    "prepared",  #: what takes another one's place stands beside it
    "exchanged",  #: both changed places; the old one is beside it
    "replaced",  #: the old one is gone
    "written",  #: a copy stands beside the path it is for
    "made",  #: a link or a copy is there
    "done",  #: all worktrees have what they should
    "shown",  #: what is gone is in `git status` again
    "told",  #: the store says what was done, `sync.applied` with it
)


def reach(step: str) -> None:
    reached(f"sync.apply:{step}")
