"""Rows of the store into the nouns, and what events say of them. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from zdriver.core.clock import to_datetime, to_datetime_or_none
from zdriver.storage.port import Event, Row
from zdriver.tasks.model import Task


def task(row: Row) -> Task:
    return Task(
        id=row["id"],
        title=row["title"],
        text=row["text"],
        repo=row["repo"],
        worktree=row["worktree"],
        agent=row["agent"],
        origin=row["origin"],
        state=row["state"],
        added_at=to_datetime(row["added_at"]),
        holder=row["holder"],
        taken_at=to_datetime_or_none(row["taken_at"]),
        expires_at=to_datetime_or_none(row["expires_at"]),
        done_at=to_datetime_or_none(row["done_at"]),
        attempts=row["attempts"],
        payload=msgspec.json.decode(row["payload"], type=dict[str, Any]),
    )


def event(type_: str, of: Task, **more: Any) -> Event:
    """About a task, in its order. Its text is in the store, and not told again."""
    return Event(
        type=type_,
        aggregate=f"task:{of.id}",
        payload={
            "id": of.id,
            "title": of.title,
            "repo": of.repo,
            "worktree": of.worktree,
            "origin": of.origin,
            **more,
        },
    )
