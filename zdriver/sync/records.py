"""The rows of shared configuration: which repositories and worktrees there are, and what was put there."""

from __future__ import annotations

from collections.abc import Iterable, Set
from functools import partial
from typing import Any

import msgspec

from zdriver.storage.port import Event, Reading, Row, Store, Transaction
from zdriver.sync.planner import Recorded, Wanted
from zdriver.sync.sources import Scope

#: Paths looked up one by one; for more all rows are read.
_FEW = 50
#: Rows written in one unit: others wait for the writer that long.
_AT_ONCE = 2000


class Home(msgspec.Struct, frozen=True):
    """A repository, as far as it matters here."""

    id: str
    git_dir: str
    name: str  #: its trunk, of a bare one its git folder
    container: str


class Tree(msgspec.Struct, frozen=True):
    """A worktree, as far as it matters here."""

    id: str
    name: str
    path: str


class Entry(msgspec.Struct, frozen=True):
    """A row to write. `content` "": what `want` says."""

    tree: str  #: id
    path: str
    want: Wanted
    folders: int = 0


Known = dict[str, dict[str, Recorded]]  #: worktree's id → path → what was put there


class Records:
    """Of this machine. Thread-safe: all state is in the store."""

    def __init__(self, store: Store, host: str) -> None:
        self._store = store
        self._host = host

    def homes(self) -> list[Home]:
        rows = self._store.read(lambda tx: tx.all("sync.repos", host=self._host))
        return [
            Home(row["id"], row["git_dir"], row["trunk"] or row["git_dir"], row["container"]) for row in rows
        ]

    def trees(self, repo: str) -> list[Tree]:
        """Those that are ready, the trunk first."""
        rows = self._store.read(lambda tx: tx.all("sync.trees", repo=repo))
        return [Tree(row["id"], row["name"], row["path"]) for row in rows]

    def known(self, repo: str, scope: Scope = None) -> Known:
        """What was put into the worktrees of a repository, within `scope`."""

        def unit(tx: Reading) -> list[Row]:
            if scope is None or len(scope) > _FEW:
                return tx.all("sync.links", repo=repo)
            return [
                row
                for path in scope
                for row in tx.all(
                    "sync.links_below", repo=repo, path=path, after=f"{path}/", before=f"{path}0"
                )
            ]

        return _by_tree(self._store.read(unit), scope)

    def of(self, tree: str) -> dict[str, Recorded]:
        return _by_tree(self._store.read(lambda tx: tx.all("sync.links_of", worktree=tree)), None).get(
            tree, {}
        )

    def made(self, tree: str, folder: str) -> bool:
        """Whether a folder of a worktree was made for what we put there: any row below it knows that."""
        given = {"worktree": tree, "after": f"{folder}/", "before": f"{folder}0"}
        row = self._store.read(lambda tx: tx.one("sync.below", **given))
        return row is not None and row["path"].count("/") - folder.count("/") <= row["folders"]

    def begin(self, entries: list[Entry]) -> None:
        """About to be made: whatever ends this process, it is known as ours."""
        for chunk in _chunks(entries):
            self._store.write(partial(_put, entries=chunk, at=0))

    def begin_replacing(self, entries: list[Entry]) -> None:
        """The same of what is about to take another one's place; that one stays known until it has."""
        for chunk in _chunks(entries):
            self._store.write(partial(_put_next, entries=chunk))

    def end(self, made: list[Entry], gone: list[tuple[str, str]], event: Event | None) -> None:
        """What became of it, and the event, all at once as far as `_AT_ONCE` rows go."""
        *before, last = _chunks(made) or [[]]
        for chunk in before:
            self._store.write(partial(_put, entries=chunk))

        def unit(tx: Transaction) -> None:
            _put(tx, last)
            tx.run_many("sync.drop", [{"worktree": tree, "path": path} for tree, path in gone])
            if event is not None:
                tx.emit(event)

        if last or gone or event is not None:
            self._store.write(unit)

    def any(self, repo: str) -> bool:
        """Whether a worktree of the repository has something of us."""
        return self._store.read(lambda tx: tx.one("sync.first", repo=repo) is not None)

    def forget(self, tree: str) -> None:
        self._store.write(lambda tx: tx.run("sync.drop_of", worktree=tree))

    def removed(self, repo: str) -> list[str]:
        """Paths of worktrees that were removed by other means."""
        rows = self._store.read(lambda tx: tx.all("sync.places_removed", repo=repo))
        return [row["path"] for row in rows]

    def forget_removed(self, repo: str) -> None:
        self._store.write(lambda tx: tx.run("sync.drop_removed", repo=repo))

    def nowhere(
        self, repo: str, paths: Iterable[str], *, but: Set[tuple[str, str]] = frozenset()
    ) -> list[str]:
        """Those that no worktree of the repository has of us.

        but  (worktree's id, path) of rows that do not count: they are about to go
        """
        asked = sorted(set(paths))
        if not asked:
            return []

        def unit(tx: Reading) -> list[Row]:
            if len(asked) > _FEW:
                return tx.all("sync.places", repo=repo)
            return [row for path in asked for row in tx.all("sync.places_at", repo=repo, path=path)]

        rows = ((row["worktree_id"], row["path"]) for row in self._store.read(unit))
        there = {path for id_, path in rows if (id_, path) not in but}
        return [path for path in asked if path not in there]


def _chunks(entries: list[Entry]) -> list[list[Entry]]:
    return [entries[at : at + _AT_ONCE] for at in range(0, len(entries), _AT_ONCE)]


def _put(tx: Transaction, entries: list[Entry], at: int | None = None) -> None:
    """at: 0: about to be made; None: now."""
    at = tx.now() if at is None else at
    rows = [{**_row(entry), "folders": entry.folders, "at": at} for entry in entries]
    tx.run_many("sync.put", rows)


def _put_next(tx: Transaction, entries: list[Entry]) -> None:
    rows = [{**_row(entry), "next": _json(entry.want)} for entry in entries]
    tx.run_many("sync.put_next", rows)


def _row(entry: Entry) -> dict[str, Any]:
    want = entry.want
    return {
        "worktree": entry.tree,
        "path": entry.path,
        "source": want.source,
        "kind": want.kind,
        "content": want.content,
    }


def _json(want: Wanted) -> str:
    return msgspec.json.encode((want.source, want.kind, want.content)).decode()


def _by_tree(rows: list[Row], scope: Scope) -> Known:
    found: Known = {}
    for row in rows:
        if scope is not None and not within(row["path"], scope):
            continue
        found.setdefault(row["worktree_id"], {})[row["path"]] = Recorded(
            row["source"], row["kind"], row["content"], row["at"] != 0, row["folders"], _next(row["next"])
        )
    return found


def _next(text: str) -> Wanted | None:
    return Wanted(*msgspec.json.decode(text)) if text else None


def within(path: str, scope: tuple[str, ...]) -> bool:
    if path in scope or "" in scope:
        return True
    at = path.find("/")
    while at >= 0:
        if path[:at] in scope:
            return True
        at = path.find("/", at + 1)
    return False
