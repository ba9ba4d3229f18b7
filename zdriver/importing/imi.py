"""Reading what iMi keeps: its database, and `.iMi` in a container.

The database: iMi's `src/database.rs` at 0.1 and 0.2; it is SQLite, tables `repositories`, `worktrees`,
`worktree_types` (later ones) and `agent_activities`, times in RFC 3339. A container: `.iMi/registry.toml`
(`src/local.rs`) and `.iMi/presence/NAME.lock`, an agent's id or JSON with it.
Nothing is opened where iMi has it: SQLite would write beside a database that it only reads.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import apsw
import msgspec

from zdriver.core.errors import InvalidInput, NotFound
from zdriver.importing.model import Unread

T = TypeVar("T")

DATABASE = "iMi.db"
FOLDER = ".iMi"
#: Bytes of a file beside the database that are read at most.
_FILE_MAX = 1 << 20
_READ_AGAIN = 3
_ERRORS = (apsw.CorruptError, apsw.NotADBError, apsw.IOError, apsw.FullError)


class Repository(msgspec.Struct, kw_only=True):
    name: str
    path: str = ""
    default_branch: str = ""


class Type(msgspec.Struct, kw_only=True):
    name: str
    description: str = ""


class Tree(msgspec.Struct, kw_only=True):
    worktree_name: str
    path: str
    id: str = ""
    repo_name: str = ""
    branch_name: str = ""
    worktree_type: str = ""
    created_at: str = ""
    updated_at: str = ""
    active: bool = True
    agent_id: str = ""


class Activity(msgspec.Struct, kw_only=True):
    agent_id: str
    worktree_id: str
    activity_type: str
    description: str
    created_at: str = ""
    file_path: str = ""


class Presence(msgspec.Struct, kw_only=True):
    """Who says to be at work in a worktree."""

    agent_id: str
    claimed_at: str = ""
    hostname: str = ""


class Found(msgspec.Struct):
    """All that could be read."""

    sources: list[str] = []
    repositories: list[Repository] = []
    types: list[Type] = []
    trees: list[Tree] = []
    activities: list[Activity] = []
    unread: list[Unread] = []


def read(path: Path) -> Found:
    """Raises NotFound when there is nothing, InvalidInput when it is nothing of iMi's."""
    found = Found()
    try:
        if path.is_dir() and (path / FOLDER).is_dir():
            read_container(path, found)
            return found
        database = path / DATABASE if path.is_dir() else path
        there = database.is_file()
    except OSError as error:  # a folder on the way that is not ours; a name that is too long
        raise _unreadable(str(path)[:200], error) from error
    if not there:
        raise NotFound(
            f"there is no iMi database at {database}",
            hint="name it: zdriver import imi PATH, or a container with a folder .iMi",
        )
    _read_database(database, found)
    return found


# ---- the database -------------------------------------------------------------------------


def _read_database(path: Path, found: Found) -> None:
    with _copied(path) as copy:
        try:
            connection = apsw.Connection(str(copy))
            tables = {str(row[0]) for row in connection.execute("SELECT name FROM sqlite_schema")}
        except apsw.Error as error:
            raise InvalidInput(f"{path} is no SQLite database: {error}", hint="name iMi's: iMi.db") from error
        try:
            if "worktrees" not in tables:
                raise InvalidInput(
                    f"{path} has no table of worktrees: it is not iMi's, or of another version",
                    hint="zdriver reads iMi.db of iMi 0.1 and 0.2; name a container instead",
                )
            found.sources.append(str(path))
            found.repositories = _table(connection, "repositories", Repository, tables, found)
            found.types = _table(connection, "worktree_types", Type, tables, found)
            found.trees = _table(connection, "worktrees", Tree, tables, found)
            found.activities = _table(connection, "agent_activities", Activity, tables, found)
        finally:
            connection.close()


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    """The database and its log, as they are together at one moment. Raises InvalidInput."""
    with tempfile.TemporaryDirectory(prefix="zdriver-import-") as folder:
        copy = Path(folder, DATABASE)
        try:
            for _ in range(_READ_AGAIN):
                before = _state(path)
                for ending in ("", "-wal"):
                    beside = path.with_name(path.name + ending)
                    if beside.exists():
                        shutil.copyfile(beside, copy.with_name(copy.name + ending))
                if _state(path) == before:
                    break
        except OSError as error:
            raise _unreadable(str(path), error) from error
        yield copy


def _unreadable(path: str, error: OSError) -> InvalidInput:
    return InvalidInput(f"{path} cannot be read: {error.strerror}", hint="give yourself the right to read it")


def _state(path: Path) -> list[tuple[int, int]]:
    beside = (path, path.with_name(path.name + "-wal"))
    return [(each.stat().st_size, each.stat().st_mtime_ns) for each in beside if each.exists()]


def _table(connection: apsw.Connection, name: str, type_: type[T], tables: set[str], found: Found) -> list[T]:
    """Its rows, as far as they can be read; what cannot is told in `found`."""
    if name not in tables:
        return []
    fields = {each.name: each.required for each in msgspec.structs.fields(type_)}  # type: ignore[arg-type]  # a Struct
    try:
        there = {str(row[0]) for row in connection.execute("SELECT name FROM pragma_table_info(?)", (name,))}
        columns = [each for each in fields if each in there]
        missing = sorted(each for each, required in fields.items() if required and each not in there)
        if missing:
            reason = f"it has no column {', '.join(missing)}: iMi of another version"
            found.unread.append(Unread(what=f"the table {name}", reason=reason))
            return []
        return _rows(connection, name, columns, type_, found)
    except apsw.Error as error:
        found.unread.append(Unread(what=f"the table {name}", reason=str(error)))
        return []


def _rows(
    connection: apsw.Connection, table: str, columns: list[str], type_: type[T], found: Found
) -> list[T]:
    """From both ends up to the damage, if there is any."""
    kept: dict[int, T] = {}
    for order in ("ASC", "DESC"):
        cursor = connection.execute(
            f"SELECT rowid, {', '.join(columns)} FROM {table} NOT INDEXED ORDER BY rowid {order}"
        )
        try:
            for rowid, *values in _as_text(cursor, table, found):
                given = {key: value for key, value in zip(columns, values, strict=True) if value is not None}
                try:
                    kept[int(rowid)] = msgspec.convert(given, type_, strict=False)
                except msgspec.ValidationError as error:
                    found.unread.append(Unread(what=f"{table}, row {rowid}", reason=str(error)))
            break
        except _ERRORS as error:
            if order == "ASC":
                found.unread.append(Unread(what=f"the table {table}", reason=f"it is damaged: {error}"))
    return [kept[rowid] for rowid in sorted(kept)]


def _as_text(cursor: apsw.Cursor, table: str, found: Found) -> Iterator[tuple[Any, ...]]:
    """Rows whose texts are texts; others are told."""
    while True:
        try:
            yield next(cursor)
        except StopIteration:
            return
        except UnicodeDecodeError:
            found.unread.append(Unread(what=f"a row of {table}", reason="it is not valid UTF-8"))


# ---- a container ----------------------------------------------------------------------------


def read_container(container: Path, found: Found) -> None:
    """Adds the worktrees of its registry that `found` does not have yet."""
    registry = container / FOLDER / "registry.toml"
    content = _small(registry, found, lambda text: tomllib.loads(text))
    if content is None:
        return
    found.sources.append(str(registry))
    known = {Path(each.path) for each in found.trees}
    trees = content.get("worktrees")
    for name, given in trees.items() if isinstance(trees, dict) else ():
        if container / name in known:
            continue
        if not isinstance(given, dict) or "/" in name or name in ("", ".", ".."):
            found.unread.append(Unread(what=f"{registry}: {name}", reason="it is no worktree's entry"))
            continue
        words = {key: value for key, value in given.items() if isinstance(value, str)}
        found.trees.append(
            Tree(
                worktree_name=name,
                path=str(container / name),
                worktree_type=words.get("type", ""),
                created_at=words.get("created_at", ""),
                agent_id=words.get("agent_owner", ""),
            )
        )


def presence(tree: Tree, found: Found) -> Presence | None:
    """Who is at work in it, as its container says; None: nobody."""
    path = Path(tree.path)
    file = path.parent / FOLDER / "presence" / f"{path.name}.lock"
    there = _small(file, found, _presence)
    if there is not None and not there.claimed_at:
        there.claimed_at = datetime.fromtimestamp(file.stat().st_mtime, UTC).isoformat()
    return there


def _presence(text: str) -> Presence | None:
    if text.lstrip().startswith("{"):
        return msgspec.json.decode(text, type=Presence)
    return Presence(agent_id=text.strip()) if text.strip() else None


def _small(path: Path, found: Found, parse: Callable[[str], T]) -> T | None:
    """What a small text file says; None without one, and when it cannot be read, which is told."""
    try:
        # Not waiting: a named pipe would be waited for until somebody writes into it.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ValueError("it is no file")
            data = file.read(_FILE_MAX + 1)
        if len(data) > _FILE_MAX:
            raise ValueError("it is too large")
        return parse(data.decode())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        found.unread.append(Unread(what=str(path), reason=reason))
        return None


def moment(text: str) -> datetime | None:
    """None for what is no time. One without a zone is UTC."""
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
