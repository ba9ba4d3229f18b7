"""Rows of the store into the nouns of worktrees. Pure."""

from __future__ import annotations

from typing import Any

from zdriver.claims.model import Claim
from zdriver.core.clock import to_datetime
from zdriver.storage.port import Event, Row, Transaction
from zdriver.worktrees.model import PullRequest, Repo, Worktree, WorktreeType
from zdriver.worktrees.rules import TRUNK


def repo(row: Row) -> Repo:
    return Repo(
        id=row["id"],
        git_dir=row["git_dir"],
        trunk=row["trunk"],
        container=row["container"],
        remote=row["remote"],
        default_branch=row["default_branch"],
    )


def worktree(row: Row, of: Repo) -> Worktree:
    return Worktree(
        id=row["id"],
        repo=of.trunk or of.git_dir,
        name=row["name"],
        type=row["type"],
        title=row["title"],
        branch=row["branch"],
        base=row["base"],
        path=row["path"],
        state=row["state"],
        created_at=to_datetime(row["created_at"]),
        used_at=to_datetime(row["used_at"]),
        agent=row["agent"],
        trunk=row["type"] == TRUNK,
        pull_request=None
        if row["pr_number"] is None
        else PullRequest(number=row["pr_number"], title=row["pr_title"], url=row["pr_url"]),
    )


def own_type(row: Row) -> WorktreeType:
    return WorktreeType(name=row["name"], description=row["description"], base=row["base"])


def claim(row: Row) -> Claim | None:
    """Of a row of `worktree.lines`; None when nobody holds it."""
    if row["claim_id"] is None:
        return None
    return Claim(
        id=row["claim_id"],
        worktree_id=row["id"],
        worktree=row["name"],
        path=row["path"],
        agent=row["claim_agent"],
        token=row["claim_token"],
        host=row["claim_host"],
        claimed_at=to_datetime(row["claimed_at"]),
        expires_at=to_datetime(row["expires_at"]),
        lease=row["lease"] / 1_000_000,
        pid=row["claim_pid"],
        session=row["claim_session"],
        waiting=row["waiting"],
        hostname=row.get("hostname") or "",
    )


def event(type_: str, worktree: Worktree, **more: Any) -> Event:
    """An event about a worktree, in its order."""
    return Event(
        type=type_,
        aggregate=f"worktree:{worktree.id}",
        payload={
            "id": worktree.id,
            "name": worktree.name,
            "title": worktree.title,
            "type": worktree.type,
            "branch": worktree.branch,
            "base": worktree.base,
            "path": worktree.path,
            "repo": worktree.repo,
            **more,
        },
    )


def insert(
    tx: Transaction,
    worktree: Worktree,
    of: Repo,
    *,
    at: int,
    step: str = "",
    made_branch: bool = False,
    head: str = "",
    owner: str = "",
) -> None:
    """The row of a new worktree. `at` is in µs."""
    pull = worktree.pull_request
    tx.run(
        "worktree.add",
        id=worktree.id,
        repo_id=of.id,
        name=worktree.name,
        type=worktree.type,
        title=worktree.title,
        branch=worktree.branch,
        base=worktree.base,
        path=worktree.path,
        state=worktree.state,
        step=step,
        made_branch=int(made_branch),
        head=head,
        owner=owner,
        pr_number=None if pull is None else pull.number,
        pr_title="" if pull is None else pull.title,
        pr_url="" if pull is None else pull.url,
        agent=worktree.agent,
        at=at,
    )
