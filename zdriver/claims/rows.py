"""Rows of the store into the nouns, and what events say of them. Pure."""

from __future__ import annotations

from typing import Any

from zdriver.claims.model import Claim
from zdriver.core.clock import to_datetime
from zdriver.storage.port import Event, Row


def claim(row: Row, *, again: bool = False) -> Claim:
    ended_at = row["ended_at"]
    return Claim(
        id=row["id"],
        worktree_id=row["worktree_id"],
        worktree=row["worktree"],
        path=row["path"],
        agent=row["agent"],
        token=row["token"],
        host=row["host"],
        claimed_at=to_datetime(row["claimed_at"]),
        expires_at=to_datetime(row["expires_at"]),
        lease=row["lease"] / 1_000_000,
        pid=row["pid"],
        session=row["session"],
        ended_at=None if ended_at is None else to_datetime(ended_at),
        ended=row["ended"],
        reason=row["reason"],
        waiting=row["waiting"],
        again=again,
        hostname=row.get("hostname") or "",
    )


def event(type_: str, row: Row, **more: Any) -> Event:
    """About a worktree and its claim, in the worktree's order. `row`: of `claim.current`."""
    return Event(
        type=type_,
        aggregate=f"worktree:{row['worktree_id']}",
        payload={
            "id": row["worktree_id"],
            "name": row["worktree"],
            "branch": row["branch"],
            "path": row["path"],
            "repo": row["repo"],
            "claim": row["id"],
            "agent": row["agent"],
            "token": row["token"],
            **more,
        },
    )
