"""The book of one worktree: who holds its work and who waits, changed within one transaction.

Where several machines share the store, one work has a worktree on each of them: `claim.current` says
of the claim where that is held, and under `own_…` what belongs to the worktree that was asked for.

Every change begins with `settle`, so that a lease which ran out has ended, and who was next has
it, before anybody else is heard.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypedDict

from zdriver.claims import rows, rules
from zdriver.claims.model import Claim, Ended
from zdriver.core.errors import NotFound
from zdriver.core.ids import new_id
from zdriver.storage.port import Row, Transaction

#: Behind everybody who waits, and before them.
LAST, FIRST = 2**63 - 1, 0
#: What of `claim.current` is about the claim.
_CLAIM = (
    *("id", "agent", "token", "host", "pid", "session", "lease", "claimed_at", "expires_at"),
    *("ended_at", "ended", "reason"),
)
#: And what is about the worktree it is held at.
_PLACE = ("worktree_id", "path", "branch", "repo", "removed_at")


class Who(TypedDict):
    """What a claim says of who asked, beside the agent."""

    pid: int
    session: str


class Work(NamedTuple):
    """What a claim is about."""

    id: str  #: of the worktree
    key: str  #: what its work is called on all machines; "" in a store of one


class Beside(NamedTuple):
    """The same, where nobody else uses the store and it is yet to be found: a whole name."""

    top: str  #: of a worktree beside it
    name: str


class NotBeside(Exception):
    """There is none of that name."""


class Book:
    """`granted` names the tickets whose turn came: their bells are rung after the commit."""

    def __init__(self, tx: Transaction, about: Work | Beside, *, host: str) -> None:
        """Raises NotFound for a worktree that is not in the store, NotBeside."""
        self.tx = tx
        self.host = host
        self.now = tx.now()
        self.granted: list[str] = []
        self._load(about)

    def _load(self, about: Work | Beside) -> None:
        if isinstance(about, Beside):
            row = self.tx.one("claim.beside", host=self.host, now=self.now, top=about.top, name=about.name)
            if row is None:
                raise NotBeside
        elif (row := self.tx.one("claim.current", worktree_id=about.id, now=self.now)) is None:
            raise NotFound(
                "there is no such worktree any more", hint="`zdriver worktree list` shows those there are"
            )
        #: The worktree that was asked for; a store of one machine says it once.
        own = "own_" if "own_path" in row else ""
        self._own: Row = {name: row[own + name] for name in _PLACE}
        self.worktree_id = str(self._own["worktree_id"])
        self._row: Row = row

    @property
    def claim(self) -> Claim | None:
        """Whose it is; after `settle` that one's lease runs."""
        return None if self._row["id"] is None else rows.claim(self._row)

    @property
    def name(self) -> str:
        """The worktree's, on whichever machine."""
        return str(self._row["worktree"])

    @property
    def removed(self) -> bool:
        """Whether what is held is there no more; of a work that nobody holds, the worktree asked for."""
        return self._row["removed_at"] is not None

    def settle(self) -> None:
        """What the time that went by means for it."""
        row = self._row
        if row["id"] is not None:
            if rules.stepped_back(self.now, expires_at=row["expires_at"], lease=row["lease"]):
                self.renew(lease=row["lease"], at=self.now + row["lease"])
            if self.removed:
                self.end("released")
            elif row["expires_at"] <= self.now:
                self.end("expired")
        if self._own["removed_at"] is not None:
            self.tx.run("claim.waiters_end", worktree_id=self.worktree_id)
        if self._row["id"] is None:
            self._grant()

    def _grant(self) -> None:
        """To who came first and is still there, until it is picked up."""
        if not self._row["places"]:
            return
        first = self.tx.one("claim.waiter_first", worktree_id=self.worktree_id, now=self.now)
        if first is None:
            return
        lease = round(rules.PICK_UP * 1_000_000)
        there = {"at": first["worktree_id"], "host": first["host"]}
        if self.take(id=first["id"], agent=first["agent"], lease=lease, seq=first["seq"], **there):
            self.tx.run("claim.waiters_gone", worktree_id=self.worktree_id, now=self.now)

    def take(
        self,
        *,
        id: str,
        agent: str,
        lease: int,
        pid: int = 0,
        session: str = "",
        seq: int = LAST,
        at: str = "",
        host: str = "",
    ) -> Claim | None:
        """By the one statement that decides it; None: somebody else has it, or comes before.

        at, host  the worktree and the machine of who waited, where those are others
        """
        at, host = at or self.worktree_id, host or self.host
        asked = {"id": id, "agent": agent, "host": host, "pid": pid or None, "session": session}
        won = self.tx.one("claim.take", worktree_id=at, **asked, lease=lease, now=self.now, seq=seq)
        if won is None:
            return None
        self.tx.run("claim.fence", worktree_id=at, token=won["token"])
        if self._row["places"]:
            self._leave_queue(agent)
            self._load(Work(self.worktree_id, ""))
        else:  # nobody waits: it is as it was written
            times = {"lease": lease, "claimed_at": self.now, "expires_at": self.now + lease}
            self._row |= {**asked, **times, **won, "ended_at": None, "ended": "", "reason": ""}
        self._emit("worktree.claimed", host=host, session=session, lease=lease / 1_000_000)
        if not rules.is_person(agent):
            self._emit("task.assigned", worktree=self._row["worktree"])
        return self.claim

    def _leave_queue(self, agent: str) -> None:
        """Whatever its places: it has it now, and hears so at each of them."""
        for waiter in self.tx.all("claim.waiters_of", worktree_id=self.worktree_id, agent=agent):
            self.tx.run("claim.waiter_drop", id=waiter["id"])
            self.granted.append(waiter["id"])

    def again(self, *, lease: int, pid: int, session: str, here: bool = False) -> Claim:
        """For who has it already: the same claim, with another lease from now on.

        here  it asks from the worktree of this book: a claim that it made on another machine moves along
        """
        row = self._row
        if here and self._own["removed_at"] is None and row["worktree_id"] != self.worktree_id:
            row |= {**self._own, "host": self.host, "pid": None, "hostname": ""}
        length, at = rules.renewed(self.now, lease, expires_at=row["expires_at"], lease_before=row["lease"])
        self.renew(lease=length, at=at, pid=pid, session=session)
        if row["places"]:
            self._leave_queue(row["agent"])
        return rows.claim(self._row, again=True)

    def picked_up(self, *, lease: int, pid: int, session: str) -> Claim:
        """By who waited: the lease that was asked for begins."""
        self.renew(lease=lease, at=self.now + lease, pid=pid, session=session)
        return rows.claim(self._row)

    def renew(self, *, lease: int, at: int, pid: int = 0, session: str = "") -> None:
        row = self._row
        row |= {"lease": lease, "expires_at": at}
        row |= {"pid": pid or row["pid"], "session": session or row["session"]}
        changed = ("id", "lease", "expires_at", "pid", "session", "worktree_id", "host")
        self.tx.run("claim.renew", **{name: row[name] for name in changed})

    def end(self, how: Ended, *, reason: str = "", by: str = "") -> Claim:
        row = self._row
        # A lease that ran out ended then, also when nobody was there to write it down.
        at = min(self.now, row["expires_at"]) if how == "expired" else self.now
        self.tx.run("claim.end", id=row["id"], at=at, ended=how, reason=reason)
        waiting = row["waiting"]
        row |= {"ended_at": at, "ended": how, "reason": reason, "waiting": 0}
        ended = rows.claim(row)
        type_ = {"released": "worktree.released", "expired": "claim.expired", "taken": "claim.taken"}[how]
        more: dict[str, Any] = {"by": by, "reason": reason} if how == "taken" else {}
        self._emit(type_, **more)
        row |= {**dict.fromkeys(_CLAIM), **self._own, "waiting": waiting}
        return ended

    def wait(self, ticket: str, agent: str) -> tuple[str, int]:
        """(ticket, how many come before): its place is kept, or it gets one at the end."""
        until = self.now + round(rules.KEPT * 1_000_000)
        place = self.tx.one("claim.waiter", id=ticket)
        if place is not None and place["worktree_id"] == self.worktree_id and place["agent"] == agent:
            self.tx.run("claim.waiter_stays", id=ticket, until=until)
            seq = place["seq"]
        else:
            # A ticket becomes the id of its claim: one that was used up names no place any more.
            if place is not None or self.tx.one("claim.by_id", id=ticket) is not None:
                ticket = new_id()
            given = {"worktree_id": self.worktree_id, "agent": agent, "host": self.host}
            added = self.tx.one("claim.waiter_add", id=ticket, **given, now=self.now, until=until)
            assert added is not None
            seq = added["seq"]
        before = self.tx.one("claim.waiters_ahead", worktree_id=self.worktree_id, now=self.now, seq=seq)
        return ticket, int(before["ahead"]) if before else 0

    def _emit(self, type_: str, **more: Any) -> None:
        self.tx.emit(rows.event(type_, self._row, **more))
