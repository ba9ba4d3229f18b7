"""What the store remembers of a removal or recovery, so that a killed one is made good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Literal

import msgspec

from zdriver.core.clock import to_datetime
from zdriver.core.errors import Conflict, NotFound
from zdriver.storage.port import Reading, Row, Store, Transaction
from zdriver.worktrees import rows
from zdriver.worktrees.locks import is_alive, owner
from zdriver.worktrees.model import Removal, Removed, Repo, Worktree
from zdriver.worktrees.removal_rules import KEPT_US

#: began: nothing is lost by going back · keeping, kept: it goes on · recovering: it is coming back
Step = Literal["began", "keeping", "kept", "recovering"]


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """One removal that is under way."""

    id: str
    repo: Repo
    worktree: Worktree
    trash: str  #: folder for what is kept, made when wanted
    made_branch: bool
    step: Step = "began"
    making: str = ""  #: of a recovery: the branch that it makes
    forced: bool = False
    agent: str = ""
    branch: str = ""  #: that it is on; "" when HEAD is detached
    head: str = ""
    ref: str = ""
    work: str = ""

    @property
    def begun(self) -> str:
        """The journal's step of a recovery."""
        return f"recovering {self.making}".rstrip()

    @property
    def aside(self) -> Path:
        """Where the worktree's folder is while it is removed."""
        trash = Path(self.trash)
        return trash.parent.parent / "removing" / self.id

    @property
    def home(self) -> Path:
        """What git knew of it: on the repository's file system."""
        return Path(self.repo.git_dir, "zdriver", "trash", self.id)

    @property
    def mark(self) -> str:
        """The reason under which git has it locked meanwhile."""
        return f"zdriver removes it ({self.id})"


class Journal:
    """Thread-safe."""

    def __init__(self, store: Store, host: str) -> None:
        self.store = store
        self._host = host
        self._lock = Lock()
        self._at_work: set[str] = set()

    @contextmanager
    def at_work(self, worktree: Worktree) -> Iterator[None]:
        """One thread at a time removes or recovers a worktree. Raises Conflict."""
        with self._lock:
            if worktree.id in self._at_work:
                raise Conflict(
                    f"{worktree.name} is being removed or recovered right now",
                    hint="wait for that, then look",
                )
            self._at_work.add(worktree.id)
        try:
            yield
        finally:
            with self._lock:
                self._at_work.discard(worktree.id)

    def abandoned(self, repo_id: str = "") -> list[str]:
        """Worktrees at whose removal nobody is any more, of one repository or of all ("")."""
        found = self.store.read(
            lambda tx: [
                (each["id"], (tx.one("removal.row", id=each["id"]) or {}).get("owner", ""))
                for each in tx.all("removal.unfinished", host=self._host, repo_id=repo_id)
            ]
        )
        with self._lock:
            busy = set(self._at_work)
        return [id_ for id_, by in found if id_ not in busy and (by == owner() or not is_alive(by))]

    # ---- a removal ----------------------------------------------------------------------

    def begin(self, ticket: Ticket) -> None:
        """Raises Conflict when it is not there to be removed any more, or claimed meanwhile."""
        worktree = ticket.worktree

        def unit(tx: Transaction) -> None:
            given = {"id": worktree.id, "agent": ticket.agent, "at": tx.now()}
            if not tx.run("removal.begin", **given, step="began", owner=owner()):
                raise Conflict(
                    f"{worktree.name} was claimed, removed or changed meanwhile", hint="zdriver worktree list"
                )
            tx.run(
                "removal.add",
                id=ticket.id,
                worktree_id=worktree.id,
                repo_id=ticket.repo.id,
                name=worktree.name,
                branch=ticket.branch,
                head=ticket.head,
                ref=ticket.ref,
                trash=ticket.trash,
                forced=int(ticket.forced),
                agent=ticket.agent,
            )

        self._write(unit, worktree)

    def step(self, ticket: Ticket, step: Step) -> Ticket:
        given = {"id": ticket.worktree.id, "step": step, "owner": owner()}
        self._write(lambda tx: tx.run("removal.step", **given), ticket.worktree)
        return msgspec.structs.replace(ticket, step=step)

    def kept(self, ticket: Ticket) -> Ticket:
        """All that it held is safe: from here it only goes forwards."""

        def unit(tx: Transaction) -> None:
            tx.run(
                "removal.kept",
                id=ticket.id,
                branch=ticket.branch,
                head=ticket.head,
                ref=ticket.ref,
                work=ticket.work,
            )
            tx.run("removal.step", id=ticket.worktree.id, step="kept", owner=owner())

        self._write(unit, ticket.worktree)
        return msgspec.structs.replace(ticket, step="kept")

    def elsewhere(self, ticket: Ticket, trash: str) -> Ticket:
        """What is kept goes to another folder than was thought."""
        self._write(lambda tx: tx.run("removal.trash", id=ticket.id, trash=trash), ticket.worktree)
        return msgspec.structs.replace(ticket, trash=trash)

    def back(self, ticket: Ticket) -> None:
        """Nothing came of it."""

        def unit(tx: Transaction) -> None:
            tx.run("removal.drop", id=ticket.id)
            tx.run("removal.back", id=ticket.worktree.id)

        self._write(unit, ticket.worktree)

    def finish(self, ticket: Ticket, answer: Removed, trash: str, request: str, digest: str) -> Removed:
        worktree = ticket.worktree

        def unit(tx: Transaction) -> Removed:
            now = tx.now()
            tx.run("removal.done", id=worktree.id, head=ticket.head, at=now)
            tx.run("removal.finished", id=ticket.id, trash=trash, at=now, expires_at=now + KEPT_US)
            tx.emit(
                rows.event(
                    "worktree.removed",
                    worktree,
                    removal=ticket.id,
                    agent=ticket.agent,
                    forced=ticket.forced,
                    head=ticket.head,
                    branch_deleted=answer.branch_deleted,
                )
            )
            return answer

        return self.store.write(
            unit,
            lock=[f"worktree:{worktree.id}"],
            request=request,
            digest=digest,
            result=Removed,
            urgent=True,
        )

    def ticket(self, worktree_id: str, repo: Repo) -> Ticket | None:
        """The removal (or recovery) of a worktree that is under way; None: none is."""

        def unit(tx: Reading) -> tuple[Row | None, list[Row], Row | None]:
            return (
                tx.one("removal.row", id=worktree_id),
                tx.all("removal.of_worktree", worktree_id=worktree_id),
                tx.one("worktree.by_id", id=worktree_id),
            )

        row, removals, whole = self.store.read(unit)
        if row is None or whole is None or row["state"] != "removing" or not removals:
            return None
        removal = removals[0]
        return self._ticket(removal, row, rows.worktree(whole, repo), repo)

    def _ticket(self, removal: Row, row: Row, worktree: Worktree, repo: Repo) -> Ticket:
        return Ticket(
            id=removal["id"],
            repo=repo,
            worktree=worktree,
            trash=removal["trash"] or str(Path(repo.git_dir, "zdriver", "trash", removal["id"])),
            made_branch=bool(row["made_branch"]),
            step=row["step"].partition(" ")[0] or "kept",
            making=row["step"].partition(" ")[2],
            forced=bool(removal["forced"]),
            agent=removal["agent"],
            branch=row["step"].partition(" ")[2] or removal["branch"],
            head=removal["head"],
            ref=removal["ref"],
            work=removal["work"],
        )

    def still_removed(self, ticket: Ticket) -> None:
        """A recovery came to nothing."""
        given = {"id": ticket.worktree.id, "removal": ticket.id}
        self._write(lambda tx: tx.run("removal.still_removed", **given), ticket.worktree)

    # ---- what was removed -----------------------------------------------------------------

    def removals(self, repo: Repo) -> tuple[Removal, ...]:
        """Those that can be recovered, the newest first."""
        return tuple(map(removal, self.store.read(lambda tx: tx.all("removal.of_repo", repo_id=repo.id))))

    def removed(self, id_: str, repo: Repo) -> Ticket:
        """As a ticket. Raises NotFound."""

        def unit(tx: Reading) -> tuple[Row, Row, Row] | None:
            found = tx.one("removal.by_id", id=id_)
            row = found and tx.one("removal.row", id=found["worktree_id"])
            whole = found and tx.one("worktree.by_id", id=found["worktree_id"])
            return (found, row, whole) if found and row and whole else None

        found = self.store.read(unit)
        if found is None:
            raise NotFound(f"there is no removal {id_!r}", hint="zdriver worktree recover shows them")
        return self._ticket(found[0], found[1], rows.worktree(found[2], repo), repo)

    def head_of(self, worktree: Worktree) -> tuple[bool, str]:
        """(zdriver made its branch, the commit it was made at)."""
        row = self.store.read(lambda tx: tx.one("removal.row", id=worktree.id))
        return (False, "") if row is None else (bool(row["made_branch"]), row["head"])

    def copies(self, worktree: Worktree) -> tuple[str, ...]:
        """Copies of files of sync/ in it."""
        found = self.store.read(lambda tx: tx.all("removal.copies", worktree_id=worktree.id))
        return tuple(row["path"] for row in found)

    def answered(self, request: str, digest: str) -> Removed | None:
        """The answer that this request got before, should it come again."""
        row = self.store.read(lambda tx: tx.one("request.find", key=request)) if request else None
        if row is None or row["digest"] != digest:
            return None
        return msgspec.json.decode(row["result"], type=Removed)

    def _write(self, unit: Callable[[Transaction], object], worktree: Worktree) -> None:
        # What a removal frees is more than the store needs to say so.
        self.store.write(unit, lock=[f"worktree:{worktree.id}"], urgent=True)


def removal(row: Row) -> Removal:
    return Removal(
        id=row["id"],
        name=row["name"],
        branch=row["branch"],
        head=row["head"],
        ref=row["ref"],
        work=row["work"],
        trash=row["trash"],
        removed_at=to_datetime(row["removed_at"]),
        expires_at=to_datetime(row["expires_at"]),
        forced=bool(row["forced"]),
    )
