"""What of claims is in the store, read and written with a clock that can be relied on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from zdriver.claims import rows, rules
from zdriver.claims.book import Beside, Book, Work
from zdriver.claims.model import Claim
from zdriver.claims.steady import ClockMoved, Steady
from zdriver.core import requests
from zdriver.core.clock import to_datetime
from zdriver.core.errors import Conflict, NotFound
from zdriver.storage.port import Reading, Row, Store, Transaction

T = TypeVar("T")

#: On which other daemons hear of tickets whose turn came.
CHANNEL = "claims"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a unit did, as it is kept for a request that comes again."""

    claim: Claim | None = None
    holder: Claim | None = None  #: who has it, where that was in the way
    lost: Claim | None = None  #: the asker's own, that ended before
    by: str = ""  #: who had it next
    pid: int = 0  #: of whom the asker's claim was before, on this machine
    worktree_id: str = ""
    worktree: str = ""  #: its name
    now: int = 0
    ticket: str = ""
    ahead: int = 0
    granted: tuple[str, ...] = ()


class Ledger:
    """`worktrees.ports.Guard`, and the way to the store for the service. Thread-safe."""

    def __init__(
        self,
        store: Store,
        *,
        host: str,
        steady: Callable[[], int],
        waits_here: Callable[[str], bool] = lambda _ticket: True,
    ) -> None:
        """waits_here: whether who has that ticket waits in this process."""
        self._store = store
        self._host = host
        # Of a store of several machines the clock is its own: leases were not given by ours.
        self._steady = None if store.shared else Steady(steady)
        self._moving = threading.Lock()
        self._waits_here = waits_here

    def judged(self, row: Row, now: int, *, agent: str, token: int) -> Claim | None:
        """What `row` (of `claim.current`) means for who asks. Raises Conflict."""
        live = row["id"] is not None and row["expires_at"] > now
        if token and not (live and row["token"] == token and row["agent"] == agent):
            self.refuse_token(row["worktree_id"], token, agent)
        if live and row["agent"] != agent:
            raise rules.held(rows.claim(row), to_datetime(now))
        if token and not (live and row["token"] == token):
            raise rules.stale(row["worktree"], token)
        return rows.claim(row) if live else None

    def refuse_token(self, worktree_id: str, token: int, agent: str) -> None:
        """Raises Conflict for a claim that was the agent's: how it was lost."""
        if not rules.may_be_token(token):
            return

        def unit(tx: Reading) -> Conflict | None:
            row = tx.one("claim.of_token", worktree_id=worktree_id, token=token)
            if row is None or row["agent"] != agent:
                return None
            after = tx.one("claim.after_token", worktree_id=worktree_id, token=token)
            return rules.lost(rows.claim(row), to_datetime(tx.now()), after["agent"] if after else "")

        if (lost := self.read(unit)) is not None:
            raise lost

    def holder(self, worktree_id: str) -> Claim | None:
        """The live claim; an expired one counts as none. Raises NotFound."""
        row, now = self.current(worktree_id)
        return None if row["id"] is None or row["expires_at"] <= now else rows.claim(row)

    def check(self, worktree_id: str, *, agent: str, token: int = 0) -> None:
        """`check` of a worktree whose id is known. Raises Conflict, NotFound."""
        self.judged(*self.current(worktree_id), agent=agent, token=token)

    def _look_at_clock(self, now: int) -> None:
        """Raises ClockMoved."""
        if self._steady is not None:
            self._steady.refuse(now)

    def _follow_clock(self) -> None:
        """The store's clock was set: every lease goes along, once."""
        steady = self._steady
        assert steady is not None
        with self._moving:

            def unit(tx: Transaction) -> int:
                by = steady.moved(tx.now())
                if by:
                    tx.run("claim.shift", host=self._host, by=by)
                    tx.run("claim.shift_waiters", by=by)
                return by

            steady.accept(self._store.write(unit))

    def keep_places(self) -> None:
        """Nobody could ask while there was no daemon: who did shortly before is waited for once more."""
        kept = round(rules.KEPT * 1_000_000)

        def unit(tx: Transaction) -> None:
            tx.run("claim.waiters_back", until=tx.now() + kept, after=tx.now() - 2 * kept, host=self._host)

        self._store.write(unit)

    def read(self, unit: Callable[[Reading], T]) -> T:
        if self._steady is None:
            return self._store.read(unit)

        def run(tx: Reading) -> T:
            self._look_at_clock(tx.now())
            return unit(tx)

        while True:
            try:
                return self._store.read(run)
            except ClockMoved:
                self._follow_clock()

    def write(
        self,
        about: Work | Beside,
        unit: Callable[[Book], Outcome],
        request: str = "",
        *asked: str | int,
        settle: bool = True,
        timeout: float = 5.0,
    ) -> Outcome:
        """timeout: seconds to wait while others write. Raises NotBeside."""

        def run(tx: Transaction) -> Outcome:
            self._look_at_clock(tx.now())
            book = Book(tx, about, host=self._host)
            if settle:
                book.settle()
            done = unit(book)
            for ticket in book.granted:
                if not self._waits_here(ticket):  # whom this process cannot wake by itself
                    tx.notify(CHANNEL, ticket)
            found = {"worktree_id": book.worktree_id, "worktree": book.name}
            return msgspec.structs.replace(done, granted=tuple(book.granted), now=book.now, **found)

        # A store of one machine has no use for locks, and there alone the work is yet to be found. The second
        # one is that of a removal, from which on nobody can claim.
        lock = [] if isinstance(about, Beside) else [f"claim:{about.key or about.id}", f"worktree:{about.id}"]

        while True:
            try:
                return self._store.write(
                    run,
                    lock=lock,
                    request=request,
                    digest=requests.digest("claims", *asked) if request else "",
                    result=Outcome,
                    timeout=timeout,
                )
            except ClockMoved:
                self._follow_clock()

    def at_once(self, statement: str, request: str, *asked: str | int, **given: Any) -> Outcome | None:
        """What a unit of `write` does in the plain case, if the store can; None: nothing was done."""
        digest = requests.digest("claims", *asked) if request else ""
        given["host"] = self._host
        return self._store.at_once(statement, result=Outcome, request=request, digest=digest, **given)

    def current(self, worktree_id: str) -> tuple[Row, int]:
        """Raises NotFound."""
        found = self.look("claim.current", worktree_id=worktree_id)
        if found is None:
            raise NotFound("there is no such worktree any more", hint="`zdriver worktree list` shows them")
        return found

    def look(self, statement: str, **params: str) -> tuple[Row, int] | None:
        """A row as it is now, and when that is."""

        def unit(tx: Reading) -> tuple[Row, int] | None:
            now = tx.now()
            row = tx.one(statement, now=now, **params)
            return None if row is None else (row, now)

        return self.read(unit)

    def by_id(self, id_: str) -> Row | None:
        return self.read(lambda tx: tx.one("claim.by_id", id=id_))


def lost(book: Book, id_: str) -> Outcome:
    """Of a claim that was there: how it ended, and who had it next."""
    row = book.tx.one("claim.by_id", id=id_)
    assert row is not None
    after = book.tx.one("claim.after_token", worktree_id=book.worktree_id, token=row["token"])
    return Outcome(lost=rows.claim(row), by=after["agent"] if after else "")
