"""Copying what is readable out of a damaged database into a new one."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

import apsw
import msgspec

from zdriver.core.tokens import search_words
from zdriver.storage.sqlite.connection import close_quietly, pragma

log = logging.getLogger(__name__)

#: Keys that describe the file, not its content: the new file has its own.
_OWN_META = ("schema", "min_compatible")
_ROWID_MAX = 2**63 - 1
_PAGE = 4096  #: bytes of a page in every store of ours
#: Rowids that one damaged place may span, and looks at places, before the rest is given up.
_STEP_MAX = 1 << 24
_PROBES = 20_000
#: Table, column → the table and key it names. What names another comes after that one's own line.
_NAMED = (
    ("deliveries", "sequence", "events", "sequence"),
    ("snapshots", "content", "blobs", "key"),
    ("snapshot_blobs", "generation", "snapshots", "generation"),
    ("snapshot_blobs", "key", "blobs", "key"),
    ("restores", "server", "zellij_servers", "key"),
    ("worktrees", "repo_id", "repos", "id"),
    ("removals", "repo_id", "repos", "id"),
    ("removals", "worktree_id", "worktrees", "id"),
    ("hook_approvals", "repo_id", "repos", "id"),
    ("worktree_ports", "worktree_id", "worktrees", "id"),
    ("claims", "worktree_id", "worktrees", "id"),
    ("fences", "worktree_id", "worktrees", "id"),
    ("claim_waiters", "worktree_id", "worktrees", "id"),
    ("sync_links", "worktree_id", "worktrees", "id"),
)
#: Tables that know which fencing tokens were given out, and how many may be unknown when they are damaged.
_TOKENS = frozenset({"claims", "fences"})
_TOKENS_LOST = 1_000_000
_ERRORS = (apsw.CorruptError, apsw.NotADBError, apsw.IOError, apsw.SQLError, apsw.CantOpenError)


class Salvaged(msgspec.Struct):
    rows: int = 0  #: copied
    incomplete: list[str] = []  #: tables of which something could not be read


def copy_readable(source: Path, target: apsw.Connection, *, only: list[str] | None = None) -> Salvaged:
    """Insert all readable rows of `source` that `target` does not have yet. Raises apsw.Error of `target`.

    `only` names tables. A source that cannot be opened at all counts as nothing but incomplete.
    """
    done = Salvaged()
    tables = [table for table in _tables(target) if only is None or table in only]
    try:
        connection = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error:
        done.incomplete = tables
        return done
    try:
        # A schema that does not make sense in one place must not hide all others.
        pragma(connection, "writable_schema = ON")
        for table in tables:
            _copy_table(connection, target, table, done)
    except _ERRORS as error:
        log.warning("%s cannot be read: %s", source, error)
        done.incomplete = tables
    finally:
        close_quietly(connection)
    return done


def transplant(damaged: Path, fresh: Path, to: Path) -> None:
    """A copy of `damaged` with the header and schema of `fresh`, a store of the same schema without rows.

    The first page holds the header and the root of the schema, some others the rest of that; without
    any of them nothing else is found, though it may all be there. Tables made in the same order
    begin at the same pages; should they not, the rows do not fit the tables and are left out.
    Raises OSError and apsw.Error.
    """
    shutil.copyfile(damaged, to)
    log_ = damaged.with_name(damaged.name + "-wal")
    if log_.exists():
        shutil.copyfile(log_, to.with_name(to.name + "-wal"))
    with fresh.open("rb") as source, to.open("r+b") as target:
        for number in _schema_pages(fresh):
            source.seek((number - 1) * _PAGE)
            page = bytearray(source.read(_PAGE))
            if number == 1:
                # "version valid for" other than the change counter: SQLite takes the size from the file.
                page[92:96] = bytes(b ^ 0xFF for b in page[24:28])
            target.seek((number - 1) * _PAGE)
            target.write(page)


def _schema_pages(path: Path) -> list[int]:
    """Numbers of the pages that hold the schema, the first one among them."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        listed = connection.execute("SELECT pageno FROM dbstat WHERE name = 'sqlite_schema' ORDER BY pageno")
        return [int(row[0]) for row in listed]
    finally:
        close_quietly(connection)


def rebuild_search(connection: apsw.Connection) -> None:
    """The search words of every entry, made anew. Raises apsw.Error."""
    for seq, text, artifacts in connection.execute(
        "SELECT seq, text, artifacts FROM entries WHERE undone_at IS NULL"
    ).fetchall():
        try:
            named = msgspec.json.decode(str(artifacts), type=tuple[str, ...])
        except msgspec.DecodeError:
            named = ()
        connection.execute(
            "INSERT INTO search (rowid, words) VALUES (?, ?)", (seq, search_words(str(text), named))
        )


def mend(connection: apsw.Connection, incomplete: Collection[str] = ()) -> None:
    """Rows that name lost rows: give them what they name, or let them go. Raises apsw.Error.

    incomplete  tables of which something was lost
    """
    # What was written at a context whose row was lost is still worth finding.
    connection.execute(
        "INSERT INTO contexts (id, host, zellij_session, root, opened_at, closed_at)"
        " SELECT DISTINCT context_id, '', '', '(lost)', 0, 0 FROM entries"
        " WHERE context_id NOT IN (SELECT id FROM contexts)"
    )
    _mend_removed(connection)
    for table, column, parent, key in _NAMED:
        connection.execute(f"DELETE FROM {table} WHERE {column} NOT IN (SELECT {key} FROM {parent})")
    _mend_fences(connection, lost=not _TOKENS.isdisjoint(incomplete))


def _mend_removed(connection: apsw.Connection) -> None:
    """What a removal kept can be recovered as long as its worktree has a row: a lost one is made up.

    A worktree that is still there needs none: git lists it, and the registry takes it in again.
    """
    connection.execute(
        "INSERT INTO worktrees (id, repo_id, name, type, title, branch, base, path, state, made_branch,"
        " head, agent, created_at, used_at, removed_at)"
        " SELECT m.worktree_id, m.repo_id, m.name, substr(m.name, 1, max(instr(m.name, '-') - 1, 0)),"
        " m.name, m.branch, r.default_branch, r.container || '/' || m.name, 'removed', 0,"
        " m.head, m.agent, m.removed_at, m.removed_at, m.removed_at"
        " FROM removals m JOIN repos r ON r.id = m.repo_id"
        " WHERE m.worktree_id NOT IN (SELECT id FROM worktrees)"
        " AND m.removed_at > 0 AND m.recovered_at IS NULL AND m.expired_at IS NULL"
        " GROUP BY m.worktree_id"
    )


def _mend_fences(connection: apsw.Connection, *, lost: bool) -> None:
    """A token that was given out is never given out again.

    lost  some may have been given out that nothing tells of any more
    """
    connection.execute(
        "INSERT INTO fences (worktree_id, token)"
        " SELECT worktree_id, max(token) FROM claims WHERE true GROUP BY worktree_id"
        " ON CONFLICT (worktree_id) DO UPDATE SET token = max(token, excluded.token)"
    )
    if lost:
        connection.execute("UPDATE fences SET token = token + ?", (_TOKENS_LOST,))
        connection.execute(
            "INSERT OR IGNORE INTO fences (worktree_id, token) SELECT id, ? FROM worktrees", (_TOKENS_LOST,)
        )


def _tables(connection: apsw.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        " AND name NOT LIKE 'sqlite%' ORDER BY name"
    )
    return [str(row[0]) for row in found]


def _columns(connection: apsw.Connection, table: str) -> list[str]:
    return [str(row[0]) for row in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]


def _copy_table(source: apsw.Connection, target: apsw.Connection, table: str, done: Salvaged) -> None:
    there = _columns(source, table)
    columns = [column for column in _columns(target, table) if column in there]
    if not columns:
        done.incomplete.append(table)
        return
    marks = ", ".join("?" * len(columns))
    insert = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({marks})"
    broken = False
    for row in _rows(source, table, columns):
        if row is None:
            broken = True
            continue
        if table == "meta" and row[columns.index("key")] in _OWN_META:
            continue
        try:
            target.execute(insert, row)
        except (apsw.ConstraintError, apsw.MismatchError):
            broken = True
            continue
        done.rows += target.changes()
    if broken:
        done.incomplete.append(table)


def _rows(source: apsw.Connection, table: str, columns: list[str]) -> Iterator[tuple[object, ...] | None]:
    """Every readable row; None for each place where something could not be read."""
    listed = ", ".join(columns)
    has_rowid = not source.execute("SELECT wr FROM pragma_table_list(?) WHERE schema = 'main'", (table,)).get
    if has_rowid:
        yield from _by_rowid(source, table, listed)
    else:
        yield from _both_ways(source, table, listed)


def _by_rowid(source: apsw.Connection, table: str, listed: str) -> Iterator[tuple[object, ...] | None]:
    """Forwards; over damage in steps of growing width, then backwards to its edge.

    Rowids begin at 1 in all tables of ours.
    """
    last, step = 0, 1
    for _ in range(_PROBES):
        begin, seen = last + step, 0
        try:
            for rowid, *row in _between(source, table, listed, begin, _ROWID_MAX, "ASC"):
                seen = int(rowid)
                yield tuple(row)
        except _ERRORS:
            yield None
            if not seen:
                if step >= _STEP_MAX:
                    return
                step *= 2
                continue
        else:
            seen = _ROWID_MAX
        # Rows between the last step that failed and this one.
        try:
            for _rowid, *row in _between(source, table, listed, last + step // 2 + 1, begin - 1, "DESC"):
                yield tuple(row)
        except _ERRORS:
            pass
        if seen == _ROWID_MAX:
            return
        last, step = seen, 1


def _between(
    source: apsw.Connection, table: str, listed: str, low: int, high: int, order: str
) -> apsw.Cursor:
    # NOT INDEXED: an index may be what is damaged.
    return source.execute(
        f"SELECT rowid, {listed} FROM {table} NOT INDEXED WHERE rowid BETWEEN ? AND ? ORDER BY rowid {order}",
        (low, high),
    )


def _both_ways(source: apsw.Connection, table: str, listed: str) -> Iterator[tuple[object, ...] | None]:
    """For tables without rowids: from both ends of their key up to the damage."""
    keys = ", ".join(
        row[0]
        for row in source.execute("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", (table,))
    )
    for order in ("ASC", "DESC"):
        ordered = ", ".join(f"{key} {order}" for key in keys.split(", "))
        try:
            yield from source.execute(f"SELECT {listed} FROM {table} ORDER BY {ordered}")
            return
        except _ERRORS:
            yield None
