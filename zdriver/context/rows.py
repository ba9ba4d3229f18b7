"""Rows of the store into the nouns, and back into parameters. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from zdriver.context.model import Context, Entry, Intent, Milestone
from zdriver.core.clock import to_datetime

Row = dict[str, Any]


def context(row: Row) -> Context:
    return Context(id=row["id"], zellij_session=row["zellij_session"], root=row["root"])


def intent(row: Row, of: Context) -> Intent:
    return Intent(
        id=row["id"], text=row["text"], source=row["source"], set_at=to_datetime(row["at"]), context=of
    )


def milestone(row: Row, of: Context) -> Milestone:
    return Milestone(
        id=row["id"],
        text=row["text"],
        kind=row["kind"],
        artifacts=artifacts(row["artifacts"]),
        commit=row["commit_id"],
        recorded_at=to_datetime(row["at"]),
        intent_id=row["intent_id"],
        source=row["source"],
        context=of,
    )


def entry(row: Row) -> Entry:
    return Entry(
        id=row["id"],
        type=row["type"],
        text=row["text"],
        kind=row["kind"],
        artifacts=artifacts(row["artifacts"]),
        commit=row["commit_id"],
        at=to_datetime(row["at"]),
        source=row["source"],
        context=Context(id=row["context_id"], zellij_session=row["zellij_session"], root=row["root"]),
    )


def artifacts(text: str) -> tuple[str, ...]:
    return msgspec.json.decode(text, type=tuple[str, ...])
