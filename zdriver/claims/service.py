"""Who holds a worktree: `ClaimsApi` on a store."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from zdriver.claims import rows, rules
from zdriver.claims.book import FIRST, Book, NotBeside, Who
from zdriver.claims.desk import Desk
from zdriver.claims.finding import Find, Finding, work
from zdriver.claims.ledger import Outcome, lost
from zdriver.claims.model import Claim, Turn
from zdriver.claims.steady import steady_us
from zdriver.claims.turns import Turns
from zdriver.core import caller, platform
from zdriver.core.clock import to_datetime, to_us
from zdriver.core.errors import Conflict, InvalidInput, NotFound, StorageFull
from zdriver.core.ids import new_id
from zdriver.storage.host import host_id
from zdriver.storage.port import Reading, Row, Store


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
        self._host = host_id() if host is None else host
        self._alive = alive
        self.desk = Desk(store, host=self._host, steady=steady, alive=alive)
        self.keeper = self.desk.keeper
        self.guard = self._ledger = self.desk.ledger
        self._turns = Turns(self.desk)
        self._finding = Finding(self._ledger, find, host=self._host, shared=store.shared)

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
        agent, length, who = _asker(agent, lease, pid, session)

        def unit(book: Book) -> Outcome:
            there = book.claim
            if there is not None and there.agent == agent:
                was = there.pid if there.host == self._host else None
                return Outcome(claim=book.again(lease=length, here=True, **who), pid=was or 0)
            # The statement decides, whatever was seen before.
            taken = book.take(id=new_id(), agent=agent, lease=length, **who)
            return Outcome(claim=taken, holder=None if taken else book.claim)

        asked = ("claim", agent, length)
        ids = ("id", "event") if rules.is_person(agent) else ("id", "event", "task")
        given = {"agent": agent, "lease": length, "task": "", **who}
        try:
            done = self._at_once("claim.at_once", ids, name, cwd, request, *asked, **given)
            done = done or self._write(unit, name, cwd, request, *asked)
        except StorageFull:  # no reason to say less than is known
            self._refuse_held(name, cwd, agent)
            raise
        held = _held(done)
        if held.again and done.pid and not self._alive(done.pid):
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
        agent, length, who = _asker(agent, lease, pid, session)
        reason = rules.reason(reason)

        def unit(book: Book) -> Outcome:
            there = book.claim
            if there is not None and there.agent == agent:
                return Outcome(claim=book.again(lease=length, here=True, **who))
            if there is not None:
                book.end("taken", reason=reason, by=agent)
            taken = book.take(id=new_id(), agent=agent, lease=length, seq=FIRST, **who)
            return Outcome(claim=taken, holder=None if taken else book.claim)

        return _held(self._write(unit, name, cwd, request, "take", agent, length, reason))

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
        agent, length, who = _asker(agent, lease, 0, "")

        def unit(book: Book) -> Outcome:
            there = book.claim
            if there is None or there.agent != agent or token not in (0, there.token):
                return Outcome(holder=there)
            return Outcome(claim=book.again(lease=length, **who))

        done = self._write(unit, name, cwd, request, "renew", agent, token, length)
        return self._mine(done, agent, token)

    def release(
        self, name: str, *, token: int = 0, cwd: str = "", agent: str = "", request: str = ""
    ) -> Claim:
        agent = rules.agent(agent or caller.agent())

        def unit(book: Book) -> Outcome:
            there = book.claim
            if there is None or there.agent != agent or token not in (0, there.token):
                return Outcome(holder=there)
            ended = book.end("released")
            book.settle()
            return Outcome(claim=ended)

        asked, done = ("release", agent, token), None
        if not token or rules.may_be_token(token):
            given = {"agent": agent, "token": token}
            done = self._at_once("claim.release_at_once", ("event",), name, cwd, request, *asked, **given)
        done = done or self._write(unit, name, cwd, request, *asked, timeout=rules.ASK)
        return self._mine(done, agent, token)

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
            return lost(book, id)

        done = self.desk.write(work(row), unit, settle=False)
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
        agent, length, who = _asker(agent, lease, pid, session)
        if not 0 <= seconds <= rules.ASK:
            raise InvalidInput(f"seconds is {seconds:g}", hint=f"0 to {rules.ASK:g}, then ask again")
        ticket = rules.ticket(ticket) if ticket else new_id()
        meant = self._finding.meant(name, cwd)
        return self._turns.wait(
            meant.work, ticket, agent=agent, lease=length, who=who, seconds=seconds, line=line
        )

    def leave(self, id: str) -> Claim | None:
        return self._turns.leave(rules.ticket(id))

    # ---- asking -------------------------------------------------------------------------

    def check(self, name: str, *, token: int = 0, cwd: str = "", agent: str = "") -> Claim | None:
        agent = agent or caller.agent()
        worktree = self._finding.meant(name, cwd)
        return self._ledger.judged(*worktree.found, agent=agent, token=token)

    def list(
        self, name: str = "", *, all: bool = False, limit: int = 100, cwd: str = ""
    ) -> tuple[Claim, ...]:
        if not 1 <= limit <= rules.LIMIT_MAX:
            raise InvalidInput(f"the limit is {limit}", hint=f"give 1 to {rules.LIMIT_MAX}")
        of = self._finding.meant(name, cwd).id if name else ""

        def unit(tx: Reading) -> list[Row]:
            if all:
                return tx.all("claim.history", worktree_id=of, limit=limit, now=tx.now())
            return tx.all("claim.live", worktree_id=of, now=tx.now())[:limit]

        return tuple(rows.claim(row) for row in self._ledger.read(unit))

    # ---- inside -------------------------------------------------------------------------

    def _at_once(
        self,
        statement: str,
        ids: tuple[str, ...],
        name: str,
        cwd: str,
        request: str,
        *asked: str | int,
        **given: Any,
    ) -> Outcome | None:
        """What `_write` does in the plain case, for the same `asked`; None: nothing was done.

        ids  names of what new ids are given for. Raises NotFound, Ambiguous.
        """
        place = self._finding.place(name, cwd)
        if place is None:
            return None
        given |= {each: new_id() for each in ids}
        return self.desk.at_once(statement, request, *asked, name, cwd, **place._asdict(), **given)

    def _write(
        self,
        unit: Callable[[Book], Outcome],
        name: str,
        cwd: str,
        request: str,
        *asked: str | int,
        timeout: float = 5.0,
    ) -> Outcome:
        """Where it can be, what `name` means is found by the transaction that writes: one look fewer.

        Raises NotFound, Ambiguous.
        """
        asked = (*asked, name, cwd)
        if (beside := self._finding.beside(name, cwd)) is not None:
            with suppress(NotBeside):
                return self.desk.write(beside, unit, request, *asked, timeout=timeout)
        work = self._finding.meant(name, cwd).work
        return self.desk.write(work, unit, request, *asked, timeout=timeout)

    def _refuse_held(self, name: str, cwd: str, agent: str) -> None:
        """Raises Conflict when another one has it."""
        row, now = self._finding.meant(name, cwd).found
        if row["id"] is not None and row["expires_at"] > now and row["agent"] != agent:
            raise rules.held(rows.claim(row), to_datetime(now))

    def _mine(self, done: Outcome, agent: str, token: int) -> Claim:
        if done.claim is not None:
            return done.claim
        if token:
            self._ledger.refuse_token(done.worktree_id, token, agent)
        if done.holder is not None and done.holder.agent != agent:
            raise rules.held(done.holder, to_datetime(done.now))
        if token:
            raise rules.stale(done.worktree, token)
        raise NotFound(f"nobody holds {done.worktree}", hint=f"claim it: `zdriver claim {done.worktree}`")


def _held(done: Outcome) -> Claim:
    """What was asked for, or who has it instead."""
    if done.claim is not None:
        return done.claim
    if done.holder is not None:
        raise rules.held(done.holder, to_datetime(done.now))
    raise Conflict(
        f"{done.worktree} is being made or removed", hint="`zdriver worktree repair` settles what was killed"
    )


def _asker(agent: str, lease: float, pid: int, session: str) -> tuple[str, int, Who]:
    """The lease in µs. Raises InvalidInput."""
    who: Who = {"pid": rules.process(pid), "session": rules.session(session)}
    return rules.agent(agent or caller.agent()), rules.lease(lease), who
