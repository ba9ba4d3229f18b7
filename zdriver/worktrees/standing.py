"""What a folder's worktree is called and who holds it: for a status line, so one read and no git."""

from __future__ import annotations

from datetime import datetime

import msgspec

from zdriver.core.clock import to_datetime
from zdriver.worktrees.registry import Registry


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    type: str
    holder: str = ""  #: the agent whose claim is live; "" when nobody holds it
    until: datetime | None = None  #: when that claim runs out


def standing(registry: Registry, path: str) -> Standing | None:
    """Of the worktree at `path` (absolute, links resolved); None where no registered one is."""
    row = registry.store.read(
        lambda tx: tx.one("standing.at_path", host=registry.host, path=path, now=tx.now())
    )
    if row is None:
        return None
    held = row["expires_at"] is not None
    return Standing(
        name=row["name"],
        type=row["type"],
        holder=row["agent"] if held else "",
        until=to_datetime(row["expires_at"]) if held else None,
    )
