"""Where the book is written: whom a change concerns is woken, and what runs out is ended in time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from zdriver.claims import rules
from zdriver.claims.book import Beside, Book, Work
from zdriver.claims.finding import work
from zdriver.claims.keeper import Keeper
from zdriver.claims.ledger import CHANNEL, Ledger, Outcome
from zdriver.claims.waiting import Bells
from zdriver.core.clock import to_us
from zdriver.storage.port import Reading, Store


class Desk:
    """Thread-safe. `keeper` is the component that calls `recover` and `sweep`."""

    def __init__(
        self, store: Store, *, host: str, steady: Callable[[], int], alive: Callable[[int], bool]
    ) -> None:
        """steady: a clock in µs that nobody sets; alive: whether there is such a process."""
        self.bells = Bells()
        self.ledger = Ledger(store, host=host, steady=steady, waits_here=self.bells.has)
        self.keeper = Keeper(self.recover, self.sweep)
        self.shared = store.shared
        self._host = host
        self._alive = alive
        if store.shared:
            store.listen(CHANNEL, self.heard)

    def write(
        self,
        about: Work | Beside,
        unit: Callable[[Book], Outcome],
        request: str = "",
        *asked: str | int,
        settle: bool = True,
        timeout: float = 5.0,
    ) -> Outcome:
        """And wake whom it concerns. timeout: seconds to wait while others write. Raises NotBeside."""
        return self._told(self.ledger.write(about, unit, request, *asked, settle=settle, timeout=timeout))

    def at_once(self, statement: str, request: str, *asked: str | int, **given: Any) -> Outcome | None:
        """As `write`, by one statement of the store; None: nothing was done."""
        done = self.ledger.at_once(statement, request, *asked, **given)
        return None if done is None else self._told(done)

    def _told(self, done: Outcome) -> Outcome:
        self.bells.ring(done.granted)
        if done.granted:
            self.keeper.within(rules.PICK_UP)
        if done.claim is not None and not done.claim.ended:
            self.keeper.within((to_us(done.claim.expires_at) - done.now) / 1_000_000)
        return done

    def recover(self) -> None:
        """At the start: while no daemon was there nobody could beat, and who still lives is heard first."""
        self.ledger.keep_places()
        for row in self.ledger.read(lambda tx: tx.all("claim.of_processes", host=self._host)):
            if self._alive(row["pid"]):
                self.write(work(row), partial(_carried_on, id_=row["id"]), settle=False)

    def sweep(self) -> float | None:
        """End what ran out; in how many seconds that is due again, None: nobody holds anything."""
        for row in self.ledger.read(lambda tx: tx.all("claim.settled", now=tx.now())):
            self.write(work(row), lambda book: Outcome())

        def unit(tx: Reading) -> float | None:
            first = tx.one("claim.due")
            return None if first is None or first["at"] is None else (first["at"] - tx.now()) / 1_000_000

        due = self.ledger.read(unit)
        if not self.shared:
            return due
        # What another daemon grants or shortens is not known here, and that daemon may be killed.
        look = rules.LOOK if len(self.bells) else rules.LOOK_IDLE
        return look if due is None else min(due, look)

    def heard(self, ticket: str) -> None:
        """From another daemon: that one's turn came; "": it may have been anybody's."""
        if ticket:
            self.bells.ring([ticket])
        else:
            self.bells.ring_all()


def _carried_on(book: Book, id_: str) -> Outcome:
    """One lease more, for a holder that could not say that it is there."""
    if book.claim is None or book.claim.id != id_:
        return Outcome()
    lease = round(book.claim.lease * 1_000_000)
    return Outcome(claim=book.again(lease=lease, pid=0, session=""))
