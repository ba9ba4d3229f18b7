"""A row for every table of a store, as a program of each schema may have left it."""

from __future__ import annotations

import apsw

#: Table → (the schema it came with, a row of it). In an order that foreign keys allow.
ROWS: dict[str, tuple[int, dict[str, object]]] = {
    "contexts": (1, {"id": "c", "host": "h", "zellij_session": "s", "root": "/w", "opened_at": 1}),
    "entries": (
        1,
        {
            "seq": 7, "id": "e", "context_id": "c", "type": "milestone", "text": "reached ünder way",
            "source": "manual", "at": 2, "kind": "milestone", "artifacts": '["a.py"]', "commit_id": "f00",
        },
    ),
    "search": (1, {"rowid": 7, "words": "reached under way a py"}),
    "events": (
        1,
        {
            "sequence": 3, "id": "v", "type": "milestone.recorded", "aggregate": "context:c",
            "aggregate_seq": 1, "subject": "e", "at": 2, "envelope": b"{}",
        },
    ),
    "deliveries": (1, {"sink": "audit", "sequence": 3, "attempts": 2, "next_at": 9, "error": "away"}),
    "requests": (1, {"key": "r", "digest": "d", "result": "{}", "at": 2}),
    "blobs": (1, {"key": "b", "data": b"zz"}),
    "snapshots": (
        1,
        {
            "generation": 5, "host": "h", "zellij_session": "s", "root": "/w", "taken_at": 4,
            "reason": "change", "tabs": 1, "panes": 2, "pinned": 1, "digest": "d", "content": "b", "size": 2,
        },
    ),
    "snapshot_blobs": (1, {"generation": 5, "key": "b"}),
    "zellij_servers": (
        2,
        {"key": "k", "host": "h", "name": "s", "pid": 1, "root": "/w", "opened_at": 3, "decided": 1},
    ),
    "restores": (
        2,
        {
            "id": "x", "host": "h", "server": "k", "source": "s", "generation": 5, "root": "/w",
            "panes": "[]", "restored": 1, "failed": 0, "at": 6,
        },
    ),
    "dismissals": (2, {"host": "h", "generation": 5, "at": 6}),
    "repos": (
        3,
        {
            "id": "r", "host": "h", "git_dir": "/c/trunk/.git", "trunk": "/c/trunk", "container": "/c",
            "remote": "r.git", "default_branch": "main", "added_at": 7, "seen_at": 8,
        },
    ),
    "worktree_types": (3, {"name": "spike", "description": "to try", "base": "main", "at": 7}),
    "worktrees": (
        3,
        {
            "id": "w", "repo_id": "r", "name": "feat-x", "type": "feat", "title": "X", "branch": "feat-x",
            "base": "main", "path": "/c/feat-x", "state": "ready", "step": "", "made_branch": 1,
            "head": "f00", "owner": "", "pr_number": 123, "pr_title": "t", "pr_url": "u", "pr_branch": "b",
            "pr_remote": "o",
            "agent": "a", "created_at": 8, "used_at": 9,
        },
    ),
    "removals": (
        3,
        {
            "id": "m", "worktree_id": "w", "repo_id": "r", "name": "feat-x", "branch": "feat-x",
            "head": "f00", "ref": "refs/zdriver/removed/m", "work": "f01", "trash": "/c/.zdriver/m",
            "forced": 1, "agent": "a", "removed_at": 10, "expires_at": 11,
        },
    ),
    "worktree_ports": (3, {"host": "h", "port": 20000, "worktree_id": "w", "variable": "PORT", "at": 9}),
    "hook_approvals": (3, {"repo_id": "r", "hook": "post-create", "digest": "d", "at": 9}),
    "claims": (
        3,
        {
            "id": "l", "worktree_id": "w", "agent": "a", "token": 4, "host": "h", "pid": 5, "session": "s",
            "lease": 60, "claimed_at": 9, "expires_at": 69, "ended": "",
        },
    ),
    "fences": (3, {"worktree_id": "w", "token": 4}),
    "claim_waiters": (
        3, {"seq": 2, "id": "q", "worktree_id": "w", "agent": "b", "since": 10, "until": 40},
    ),
    "sync_links": (
        3,
        {
            "worktree_id": "w", "path": ".env", "source": "sync/repo/.env", "kind": "link",
            "content": "../sync/repo/.env", "folders": 0, "at": 9,
        },
    ),
    "archives": (4, {"id": "z", "cursor": 3, "archived_at": 12}),
    "archive_owed": (4, {"seq": 1, "kind": "entry", "id": "e"}),
    "tasks": (
        5,
        {
            "id": "t", "title": "mend it", "text": "", "repo": "", "worktree": "", "agent": "",
            "origin": "planner@desk", "payload": "{}", "added_at": 13,
        },
    ),
    "hosts": (7, {"id": "h", "name": "desk", "at": 14}),
}  # fmt: skip


def fill(connection: apsw.Connection, schema: int) -> dict[str, dict[str, object]]:
    """A row in each table that `schema` has; table → what was put there."""
    put = {table: row for table, (since, row) in ROWS.items() if since <= schema}
    for table, row in put.items():
        names = ", ".join(row)
        marks = ", ".join(f":{name}" for name in row)
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", row)
    return put


def kept(connection: apsw.Connection, put: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    """The same columns, as they are there now."""
    found: dict[str, dict[str, object]] = {}
    for table, row in put.items():
        values = connection.execute(f"SELECT {', '.join(row)} FROM {table}").fetchone()
        found[table] = dict(zip(row, values or (), strict=False))
    return found


def tables(connection: apsw.Connection) -> set[str]:
    """All but SQLite's own, those behind the search, and `meta`."""
    listed = connection.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')"
        " AND name NOT LIKE 'sqlite%'"
    )
    return {str(row[0]) for row in listed} - {"meta"}
