"""Which worktree a name means to who stands in a folder, and what is known of its claim then."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from zdriver.claims.book import Beside, Work
from zdriver.claims.ledger import Ledger
from zdriver.core import caller
from zdriver.core.errors import NotFound
from zdriver.git.repository import worktree_top
from zdriver.storage.port import Row
from zdriver.worktrees.model import Repo, Worktree


class Find(Protocol):
    """Which worktree a name means to who stands in `cwd`. Raises NotFound, Ambiguous."""

    def __call__(self, name: str = "", cwd: str = "") -> tuple[Repo, Worktree]: ...


class Meant(NamedTuple):
    """The worktree that a name means."""

    work: Work
    name: str
    found: tuple[Row, int]  #: of `claim.current`, and the store's time

    @property
    def id(self) -> str:
        return self.work.id


class Place(NamedTuple):
    """Where the store itself looks for a worktree: beside another one, unless it is known."""

    top: str  #: of a worktree beside it; "": it is known
    name: str
    worktree_id: str  #: "": it is yet to be found


class Finding:
    """Thread-safe."""

    def __init__(self, ledger: Ledger, find: Find, *, host: str, shared: bool) -> None:
        """shared: whether other machines use the store, so that the work has to be known to be locked."""
        self._ledger = ledger
        self._find = find
        self._host = host
        self._shared = shared

    def beside(self, name: str, cwd: str) -> Beside | None:
        """What is to be looked for by who writes; None: by `meant`, before that."""
        if self._shared or not name or not name.isprintable():
            return None
        top = worktree_top(cwd or caller.cwd())
        return None if top is None else Beside(top, name)

    def place(self, name: str, cwd: str) -> Place | None:
        """For who asks a store of several machines to do it at once. Raises NotFound, Ambiguous."""
        if not self._shared:
            return None
        top = worktree_top(cwd or caller.cwd()) if name and name.isprintable() else None
        return Place("", "", self._find(name, cwd)[1].id) if top is None else Place(top, name, "")

    def meant(self, name: str, cwd: str) -> Meant:
        """Most often it is a whole name, asked for in a worktree beside it: one statement knows all.

        Raises NotFound, Ambiguous.
        """
        cwd = cwd or caller.cwd()
        top = worktree_top(cwd) if name and name.isprintable() else None
        if top is not None:
            found = self._ledger.look("claim.beside", host=self._host, top=top, name=name)
            if found is not None:
                return _meant(found, found[0].get("asked_id"))
        try:
            id_: str | None = self._find(name, cwd)[1].id
        except NotFound:
            # What only another machine has is claimed there: the work is the same.
            if top is None or (id_ := self._elsewhere(name, top)) is None:
                raise
        assert id_ is not None
        return _meant(self._ledger.current(id_), id_)

    def _elsewhere(self, name: str, top: str) -> str | None:
        """None also where a short name means several there."""
        found = self._ledger.read(lambda tx: tx.all("claim.elsewhere", host=self._host, top=top, name=name))
        meant = [row for row in found if row["name"] == name] or found
        return str(meant[0]["id"]) if len({row["name"] for row in meant}) == 1 else None


def work(row: Row) -> Work:
    """That a row of a claim, or of a waiter, is about."""
    return Work(row["worktree_id"], row.get("key", ""))


def _meant(found: tuple[Row, int], id_: str | None) -> Meant:
    """id_: of the worktree; None: the row is about no other one."""
    row = found[0]
    return Meant(Work(id_ or row["worktree_id"], row.get("key", "")), row["worktree"], found)
