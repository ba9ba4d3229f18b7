"""Git, as far as zdriver asks it: every call and every parse of it."""

from zdriver.git.repository import head_commit, worktree_top

__all__ = ["head_commit", "worktree_top"]
