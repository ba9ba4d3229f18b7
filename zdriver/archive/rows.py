"""Rows of a store as rows of the archive: which columns there are, and what stands in each. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from zdriver.core.clock import to_datetime, to_datetime_or_none
from zdriver.core.tokens import search_words
from zdriver.forges.urls import identity
from zdriver.storage.port import Row

Values = tuple[Any, ...]


class Table(msgspec.Struct, frozen=True):
    """A table of the archive. Its first column is `store`, its last `batch`."""

    name: str
    columns: tuple[str, ...]  #: those between
    key: tuple[str, ...]  #: with `store`
    values: Callable[[Row], Values]

    @property
    def all_columns(self) -> tuple[str, ...]:
        return ("store", *self.columns, "batch")


def _entry(row: Row) -> Values:
    text, artifacts = _clean(row["text"]), row["artifacts"]
    listed = () if artifacts == "[]" else msgspec.json.decode(artifacts, type=tuple[str, ...])
    return (
        row["id"],
        row["type"],
        text,
        row["kind"],
        artifacts,
        row["commit_id"],
        row["source"],
        to_datetime(row["at"]),
        row["intent_id"],
        to_datetime_or_none(row["ended_at"]),
        to_datetime_or_none(row["undone_at"]),
        row["context_id"],
        row["host"],
        _clean(row["zellij_session"]),
        _clean(row["root"]),
        _repo(row["repo"]),
        # Words of letters and digits are a tsvector as they stand: nothing to quote, nothing to parse.
        search_words(text, listed),
    )


def _snapshot(row: Row) -> Values:
    return (
        row["generation"],
        to_datetime(row["taken_at"]),
        row["host"],
        _clean(row["zellij_session"]),
        _clean(row["root"]),
        row["reason"],
        row["tabs"],
        row["panes"],
        bool(row["pinned"]),
        row["digest"],
        row["size"],
    )


def _claim(row: Row) -> Values:
    return (
        row["id"],
        row["worktree_id"],
        row["worktree"],
        row["path"],
        _repo(row["repo"]),
        _clean(row["agent"]),
        row["token"],
        row["host"],
        row["pid"],
        _clean(row["session"]),
        to_datetime(row["claimed_at"]),
        to_datetime(row["expires_at"]),
        to_datetime_or_none(row["ended_at"]),
        row["ended"],
        _clean(row["reason"]),
    )


def _event(row: Row) -> Values:
    return (
        row["id"],
        row["sequence"],
        row["type"],
        _clean(row["aggregate"]),
        row["aggregate_seq"],
        row["subject"],
        to_datetime(row["at"]),
        bytes(row["envelope"]).decode(),
    )


@cache
def _repo(remote: str) -> str:
    """One form for every way to write a remote: clones of one repository are one in the archive."""
    return identity(remote)


def _clean(text: str) -> str:
    """PostgreSQL has no NUL in texts. One that came along must not stop all that follow."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text


ENTRIES = Table(
    "archive_entries",
    (
        "id", "type", "text", "kind", "artifacts", "commit_id", "source", "at", "intent_id", "ended_at",
        "undone_at", "context_id", "host", "zellij_session", "root", "repo", "words",
    ),
    ("id",),
    _entry,
)  # fmt: skip
SNAPSHOTS = Table(
    "archive_snapshots",
    (
        "generation", "taken_at", "host", "zellij_session", "root", "reason", "tabs", "panes", "pinned",
        "digest", "size",
    ),
    ("generation", "taken_at"),
    _snapshot,
)  # fmt: skip
CLAIMS = Table(
    "archive_claims",
    (
        "id", "worktree_id", "worktree", "path", "repo", "agent", "token", "host", "pid", "session",
        "claimed_at", "expires_at", "ended_at", "ended", "reason",
    ),
    ("id",),
    _claim,
)  # fmt: skip
EVENTS = Table(
    "archive_events",
    ("id", "sequence", "type", "aggregate", "aggregate_seq", "subject", "at", "envelope"),
    ("id",),
    _event,
)
