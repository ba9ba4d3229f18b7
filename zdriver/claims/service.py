"""Who holds a worktree: `ClaimsApi` on a store."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol, TypedDict, TypeVar

import msgspec

from zdriver.claims import rows, rules
from zdriver.claims.book import FIRST, Book
from zdriver.claims.keeper import Keeper
from zdriver.claims.ledger import CHANNEL, Ledger, Outcome, at
from zdriver.claims.model import Claim, Turn
from zdriver.claims.steady import steady_us
from zdriver.claims.waiting import Bells
from zdriver.core import caller, platform
from zdriver.core.clock import to_datetime, to_us
from zdriver.core.errors import Conflict, InvalidInput, NotFound
from zdriver.core.ids import new_id
from zdriver.git.repository import worktree_top
from zdriver.storage.host import host_id
from zdriver.storage.port import Reading, Row, Store
from zdriver.worktrees.model import Repo, Worktree

T = TypeVar("T")


class Find(Protocol):
    """Which worktree a name means to who stands in `cwd`. Raises NotFound, Ambiguous."""

    def __call__(self, name: str = "", cwd: str = "") -> tuple[Repo, Worktree]: ...


class _Who(TypedDict):
    pid: int
    session: str


class _Meant(NamedTuple):
    """The worktree that a name means."""

    id: str
    name: str
    found: tuple[Row, int]  #: of `claim.current`, and the store's time
    key: str  #: what its work is called on all machines; "" in a store of one


class _Work(NamedTuple):
    """A worktree whose claim is known already."""

    id: str
    key: str


class ClaimsService:
    """`ClaimsApi`. Thread-safe: what counts is in the store."""

    def __init__(
        self,
        store: Store,
        find: Find,
        *,
        host: str | None = None,
        steady: Callable[[], int] = steady_us,
        alive: Callable[[int], bool] = lambda pid: platform.process(pid) is not None,
    ) -> None:
        """steady: a clock in µs that nobody sets; alive: whether there is such a process."""
        self._find = find
        self._host = host_id() if host is None else host
        self._bells = Bells()
        self._ledger = Ledger(store, host=self._host, steady=steady, waits_here=self._bells.has)
        self._alive = alive
        self._shared = store.shared
        self.keeper = Keeper(self.recover, self.sweep)
        if store.shared:
            store.listen(CHANNEL, self._heard)
        self.guard = self._ledger

    # ---- holding ------------------------------------------------------------------------

    def claim(
        self,
        name: str,
        *,
        lease: float = 0.0,
        pid: int = 0,
        session: str = "",
        cwd: str = "",
        agent: str = "",
        request: str = "",
    ) -> Claim:
        agent, length, who = self._who(agent, lease, pid, session)
        worktree = self._meant(name, cwd)

        def unit(book: Book) -> Outcome:
            if book.claim is not None and book.claim.agent == agent:
                return Outcome(claim=book.again(lease=length, here=True, **who))
            taken = book.take(id=new_id(), agent=agent, lease=length, **who)
            return Outcome(claim=taken, holder=book.claim)

        before = self._ledger.holder(worktree.id, worktree.found)
        if before is not None and before.agent != agent and not request:
            self._refuse_held(before)
        asked = ("claim", worktree.id, agent, length)
        held = self._held(self._write(worktree, unit, request, *asked), worktree)
        if held.again and before is not None and self._left(before):
            # Its process was killed: whoever claims it again is the one to release it.
            return msgspec.structs.replace(held, again=False)
        return held

    def take(
        self,
        name: str,
        *,
        reason: str,
        lease: float = 0.0,
        pid: int = 0,
        session: str = "",
        cwd: str = "",
        agent: str = "",
        request: str = "",
    ) -> Claim:
        agent, length, who = self._who(agent, lease, pid, session)
        reason = rules.reason(reason)
        worktree = self._meant(name, cwd)

        def unit(book: Book) -> Outcome:
            if book.claim is not None and book.claim.agent == agent:
                return Outcome(claim=book.again(lease=length, here=True, **who))
            if book.claim is not None:
                book.end("taken", reason=reason, by=agent)
            taken = book.take(id=new_id(), agent=agent, lease=length, seq=FIRST, **who)
            return Outcome(claim=taken, holder=book.claim)

        asked = ("take", worktree.id, agent, length, reason)
        return self._held(self._write(worktree, unit, request, *asked), worktree)

    def renew(
        self,
        name: str,
        *,
        token: int = 0,
        lease: float = 0.0,
        cwd: str = "",
        agent: str = "",
        request: str = "",
    ) -> Claim:
        agent, length, who = self._who(agent, lease, 0, "")
        worktree = self._meant(name, cwd)

        def unit(book: Book) -> Outcome:
            mine = book.claim is not None and book.claim.agent == agent
            if not mine or (token and book.claim and book.claim.token != token):
                return Outcome(holder=book.claim)
            return Outcome(claim=book.again(lease=length, **who))

        done = self._write(worktree, unit, request, "renew", worktree.id, agent, token, length)
        return self._mine(done, worktree, agent, token)

    def release(
        self, name: str, *, token: int = 0, cwd: str = "", agent: str = "", request: str = ""
    ) -> Claim:
        agent = rules.agent(agent or caller.agent())
        worktree = self._meant(name, cwd)

        def unit(book: Book) -> Outcome:
            mine = book.claim is not None and book.claim.agent == agent
            if not mine or (token and book.claim and book.claim.token != token):
                return Outcome(holder=book.claim)
            ended = book.end("released")
            book.settle()
            return Outcome(claim=ended)

        asked = ("release", worktree.id, agent, token)
        done = self._write(worktree, unit, request, *asked, timeout=rules.ASK)
        return self._mine(done, worktree, agent, token)

    def beat(self, id: str, *, lease: float = 0.0) -> Claim:
        row = self._ledger.by_id(id)
        if row is None:
            raise NotFound(f"there is no claim {id[:50]!r}", hint="`zdriver claims --all` shows them")
        length = rules.lease(lease, row["lease"] / 1_000_000)

        def unit(book: Book) -> Outcome:
            there = book.claim
            # Late, but nobody else came: it still stands.
            late = there is not None and to_us(there.expires_at) <= book.now
            if there is not None and there.id == id and not (late and there.waiting) and not book.removed:
                return Outcome(claim=book.again(lease=length, pid=0, session=""))
            book.settle()
            return self._lost(book, id)

        done = self._write(_of(row), unit, settle=False)
        if done.claim is None:
            assert done.lost is not None
            raise rules.lost(done.lost, to_datetime(done.now), done.by)
        return done.claim

    # ---- waiting ------------------------------------------------------------------------

    def queue(
        self,
        name: str,
        *,
        ticket: str = "",
        lease: float = 0.0,
        seconds: float = rules.ASK,
        pid: int = 0,
        session: str = "",
        cwd: str = "",
        agent: str = "",
        line: int = -1,
    ) -> Turn:
        """`line`: the descriptor of the socket that it is asked over, to see that the asker is gone."""
        agent, length, who = self._who(agent, lease, pid, session)
        if not 0 <= seconds <= rules.ASK:
            raise InvalidInput(f"seconds is {seconds:g}", hint=f"0 to {rules.ASK:g}, then ask again")
        ticket = rules.ticket(ticket) if ticket else new_id()
        worktree = self._meant(name, cwd)

        def unit(book: Book) -> Outcome:
            there = book.claim
            if there is not None and there.id == ticket and there.agent == agent:
                return Outcome(claim=book.picked_up(lease=length, **who), ticket=ticket)
            if there is not None and there.agent == agent:
                return Outcome(claim=book.again(lease=length, here=True, **who), ticket=ticket)
            if there is None and not book.tx.one("claim.by_id", id=ticket):
                taken = book.take(id=ticket, agent=agent, lease=length, **who)
                if taken is not None:
                    return Outcome(claim=taken, ticket=ticket)
            given, ahead = book.wait(ticket, agent)
            return Outcome(holder=book.claim, ticket=given, ahead=ahead)

        with self._bells.hung(ticket) as bell:
            # Who waits has time, and who lets go too: hundreds may come at once, and the book is written
            # by one after the other.
            done = self._write(worktree, unit, timeout=rules.ASK)
            end = time.monotonic() + seconds
            if self._shared and done.claim is None:
                self.keeper.within(rules.LOOK)
            while done.claim is None and done.ticket == ticket:
                woken = bell.wait(end - time.monotonic(), line)
                if woken == "rung":
                    done = self._write(worktree, unit, timeout=rules.ASK)
                    if done.holder is not None:  # it was told that it may be anybody's turn
                        continue
                elif woken == "gone" and self._bells.owns(ticket, bell):
                    self.leave(ticket)
                break
        return Turn(ticket=done.ticket, claim=done.claim, ahead=done.ahead, holder=done.holder)

    def leave(self, id: str) -> Claim | None:
        rules.ticket(id)
        waiting = self._ledger.read(lambda tx: tx.one("claim.waiter", id=id))
        row = waiting or self._ledger.by_id(id)
        if row is None:
            return None

        def unit(book: Book) -> Outcome:
            book.tx.run("claim.waiter_drop", id=id)
            there = book.claim
            if there is None or there.id != id:
                return Outcome()
            ended = book.end("released")
            book.settle()
            return Outcome(claim=ended)

        return self._write(_of(row), unit, settle=False, timeout=rules.ASK).claim

    # ---- asking -------------------------------------------------------------------------

    def check(self, name: str, *, token: int = 0, cwd: str = "", agent: str = "") -> Claim | None:
        agent = agent or caller.agent()
        worktree = self._meant(name, cwd)
        return self._ledger.judged(*worktree.found, agent=agent, token=token)

    def list(
        self, name: str = "", *, all: bool = False, limit: int = 100, cwd: str = ""
    ) -> tuple[Claim, ...]:
        if not 1 <= limit <= rules.LIMIT_MAX:
            raise InvalidInput(f"the limit is {limit}", hint=f"give 1 to {rules.LIMIT_MAX}")
        of = self._meant(name, cwd).id if name else ""

        def unit(tx: Reading) -> list[Row]:
            if all:
                return tx.all("claim.history", worktree_id=of, limit=limit, now=tx.now())
            return tx.all("claim.live", worktree_id=of, now=tx.now())[:limit]

        return tuple(rows.claim(row) for row in self._ledger.read(unit))

    def _meant(self, name: str, cwd: str) -> _Meant:
        """Most often it is a whole name, asked for in a worktree beside it: one statement knows all."""
        cwd = cwd or caller.cwd()
        top = worktree_top(cwd) if name and name.isprintable() else None
        if top is not None:
            found = self._ledger.read(
                lambda tx: at(tx, tx.one("claim.beside", host=self._host, top=top, name=name, now=tx.now()))
            )
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

    # ---- time ---------------------------------------------------------------------------

    def recover(self) -> None:
        """At the start: while no daemon was there nobody could beat, and who still lives is heard first."""
        self._ledger.keep_places()
        for row in self._ledger.read(lambda tx: tx.all("claim.of_processes", host=self._host)):
            if self._alive(row["pid"]):
                self._write(_of(row), partial(_carried_on, id_=row["id"]), settle=False)

    def sweep(self) -> float | None:
        """End what ran out; in how many seconds that is due again, None: nobody holds anything."""
        for row in self._ledger.read(lambda tx: tx.all("claim.settled", now=tx.now())):
            self._write(_of(row), lambda book: Outcome())

        def unit(tx: Reading) -> float | None:
            first = tx.one("claim.due")
            return None if first is None or first["at"] is None else (first["at"] - tx.now()) / 1_000_000

        due = self._ledger.read(unit)
        if not self._shared:
            return due
        # What another daemon grants or shortens is not known here, and that daemon may be killed.
        look = rules.LOOK if len(self._bells) else rules.LOOK_IDLE
        return look if due is None else min(due, look)

    def _heard(self, ticket: str) -> None:
        """From another daemon: that one's turn came; "": it may have been anybody's."""
        if ticket:
            self._bells.ring([ticket])
        else:
            self._bells.ring_all()

    def _write(
        self,
        worktree: _Meant | _Work,
        unit: Callable[[Book], Outcome],
        request: str = "",
        *asked: str | int,
        settle: bool = True,
        timeout: float = 5.0,
    ) -> Outcome:
        """And wake whom it concerns. timeout: seconds to wait while others write."""
        done = self._ledger.write(
            worktree.id, unit, request, *asked, key=worktree.key, settle=settle, timeout=timeout
        )
        self._bells.ring(done.granted)
        if done.granted:
            self.keeper.within(rules.PICK_UP)
        if done.claim is not None and not done.claim.ended:
            self.keeper.within((to_us(done.claim.expires_at) - done.now) / 1_000_000)
        return done

    # ---- answers ------------------------------------------------------------------------

    def _who(self, agent: str, lease: float, pid: int, session: str) -> tuple[str, int, _Who]:
        who: _Who = {"pid": rules.process(pid), "session": rules.session(session)}
        return rules.agent(agent or caller.agent()), rules.lease(lease), who

    def _left(self, claim: Claim) -> bool:
        return claim.pid is not None and claim.host == self._host and not self._alive(claim.pid)

    def _refuse_held(self, holder: Claim) -> None:
        raise rules.held(holder, to_datetime(self._ledger.read(lambda tx: tx.now())))

    def _held(self, done: Outcome, worktree: _Meant) -> Claim:
        """What was asked for, or who has it instead."""
        if done.claim is not None:
            return done.claim
        if done.holder is not None:
            raise rules.held(done.holder, to_datetime(done.now))
        raise Conflict(
            f"{worktree.name} is being made or removed",
            hint="`zdriver worktree repair` settles what was killed",
        )

    def _mine(self, done: Outcome, worktree: _Meant, agent: str, token: int) -> Claim:
        if done.claim is not None:
            return done.claim
        if token:
            self._ledger.refuse_token(worktree.id, token, agent)
        if done.holder is not None and done.holder.agent != agent:
            raise rules.held(done.holder, to_datetime(done.now))
        if token:
            raise rules.stale(worktree.name, token)
        raise NotFound(f"nobody holds {worktree.name}", hint=f"claim it: `zdriver claim {worktree.name}`")

    @staticmethod
    def _lost(book: Book, id_: str) -> Outcome:
        row = book.tx.one("claim.by_id", id=id_)
        assert row is not None
        after = book.tx.one("claim.after_token", worktree_id=book.worktree_id, token=row["token"])
        return Outcome(lost=rows.claim(row), by=after["agent"] if after else "")


def _meant(found: tuple[Row, int], id_: str | None) -> _Meant:
    """id_: of the worktree; None: the row is about no other one."""
    row = found[0]
    return _Meant(id_ or row["worktree_id"], row["worktree"], found, row.get("key", ""))


def _of(row: Row) -> _Work:
    return _Work(row["worktree_id"], row.get("key", ""))


def _carried_on(book: Book, id_: str) -> Outcome:
    """One lease more, for a holder that could not say that it is there."""
    if book.claim is None or book.claim.id != id_:
        return Outcome()
    lease = round(book.claim.lease * 1_000_000)
    return Outcome(claim=book.again(lease=lease, pid=0, session=""))
