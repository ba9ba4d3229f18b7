"""Rows of snapshots into what they mean; damaged content is told from good. Pure but for the reading."""

from __future__ import annotations

from typing import Any

from zdriver.context import contents
from zdriver.context.model import SnapshotContent, SnapshotInfo
from zdriver.core.clock import to_datetime
from zdriver.core.errors import NotFound, StoreDamaged
from zdriver.storage.port import Reading

Row = dict[str, Any]
Rows = list[Row]


def row_of(tx: Reading, generation: int) -> dict[str, Any]:
    row = tx.one("snapshot.by_generation", generation=generation)
    if row is None:
        raise NotFound(f"there is no generation {generation}", hint="zdriver snapshot list shows them")
    return row


def blob(tx: Reading, key: str) -> bytes:
    row = tx.one("snapshot.blob", key=key)
    if row is None:
        raise StoreDamaged(f"the stored content {key[:8]} is missing")
    return bytes(row["data"])


def is_good(tx: Reading, key: str) -> bool:
    try:
        contents.decode(contents.unpack(key, blob(tx, key)))
    except StoreDamaged:
        return False
    return True


def content_of(tx: Reading, row: dict[str, Any]) -> SnapshotContent:
    key = row["content"]
    try:
        layout = contents.decode(contents.unpack(key, blob(tx, key)))
    except StoreDamaged as error:
        raise StoreDamaged(
            f"generation {row['generation']} is damaged: {error.message}",
            hint="zdriver snapshot list shows older ones",
        ) from error
    return SnapshotContent(info=info_of(row), layout=layout)


def info_of(row: dict[str, Any]) -> SnapshotInfo:
    return SnapshotInfo(
        generation=row["generation"],
        zellij_session=row["zellij_session"],
        root=row["root"],
        taken_at=to_datetime(row["taken_at"]),
        reason=row["reason"],
        tabs=row["tabs"],
        panes=row["panes"],
        pinned=bool(row["pinned"]),
        digest=row["digest"],
    )
