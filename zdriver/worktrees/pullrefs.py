"""The refs of a review, and what becomes of them.

refs/zdriver/reviews/123/fetched   the head, as it was fetched last
refs/zdriver/reviews/123/head      the head that the worktree was brought to last
refs/zdriver/reviews/123/was/<id>  where it stood before a force push
"""

from __future__ import annotations

from zdriver.git import branches, refs
from zdriver.worktrees.model import Repo, Worktree


def folder(number: int) -> str:
    return f"refs/zdriver/reviews/{number}/"


def fetched(number: int) -> str:
    return f"{folder(number)}fetched"


def head(number: int) -> str:
    return f"{folder(number)}head"


def was(number: int, commit: str) -> str:
    return f"{folder(number)}was/{commit}"


def after_removal(repo: Repo, worktree: Worktree) -> int:
    """Take its refs away, once what it held is kept elsewhere; how many there were.

    Done twice is done once.
    """
    return 0 if worktree.pull_request is None else drop(repo, worktree.pull_request.number)


def drop(repo: Repo, number: int) -> int:
    found = refs.below(repo.git_dir, folder(number))
    for name in found:
        branches.delete_ref(repo.git_dir, name)
    return len(found)
