"""The named steps of making, removing and recovering a worktree: what is done when one is reached.

A process may be killed between any two of them; `zdriver.core.killpoint` does that in tests, which
take their cases from these lists. What a killed creation left is told from outside (what git lists,
what lies in the folder), so that only its beginning and its end are written to the store; a removal
notes in its journal from where on it only goes forwards.
"""

from __future__ import annotations

#: Each is reached in this order. `worktrees.add:NAME` is the point at which a test kills.
CREATION = (
    "begun",  #: the row stands in the store; nothing was done yet
    "container",  #: the folder that worktrees lie in is there
    "checked-out",  #: git made branch, folder and files
    "linked",  #: sync/ was applied
    "provided",  #: files were copied, ports leased
    "ready",  #: the store says so, `worktree.created` with it
)

#: `worktrees.remove:NAME`, of merge and prune, too
REMOVAL = (
    "began",  #: the journal has it; nothing was done yet
    "locked",  #: git keeps its own pruning away from it
    "unlinked",  #: what sync/ put there is taken out
    "aside",  #: the folder was renamed out of its place
    "keeping",  #: it was looked at once more; the journal says that its work is being kept
    "ref",  #: a ref keeps its commits
    "trashing",  #: a file of several was moved to the trash
    "work",  #: all of its work is kept
    "kept",  #: the journal says so: from here it goes forwards only
    "forgotten",  #: git knows the worktree no more
    "remote",  #: the remote branch was deleted, if that was asked
    "branch",  #: the branch was deleted, if that is zdriver's to do
    "deleted",  #: the folder was deleted
    "removed",  #: the store says so, `worktree.removed` with it
)

#: `worktrees.recover:NAME`
RECOVERY = (
    "began",  #: the journal has it; nothing was done yet
    "checked-out",  #: git made it anew, aside
    "restored",  #: what was changed and staged is so again
    "untrashing",  #: a file of several was moved out of the trash
    "whole",  #: all of it is there
    "placed",  #: it was renamed to its place
    "linked",  #: sync/ and .zdriver.toml were applied
    "ready",  #: the store says so, `worktree.recovered` with it
)

#: `worktrees.merge:NAME`; a removal follows
MERGE = (
    "checked",  #: nothing speaks against it; nothing was done yet
    "landed",  #: the base has its work
)

#: `worktrees.review:NAME`; the making of a worktree lies between the first two
REVIEW = (
    "fetched",  #: the pull request's commits are here
    "made",  #: its worktree is there, and not yet known to be up to date
    "kept",  #: where it stood before a force push is kept by a ref
    "moved",  #: git brought it to the new head
    "noted",  #: the store says so
)

OF = {"review": REVIEW, "add": CREATION, "remove": REMOVAL, "recover": RECOVERY, "merge": MERGE}


def point(step: str, verb: str = "add") -> str:
    """For `killpoint.reached`. Raises ValueError for a step that is not listed."""
    OF[verb].index(step)
    return f"worktrees.{verb}:{step}"
