"""Waiting for a claim: a place in the queue, kept in the store, and a bell while somebody waits in a call."""

from __future__ import annotations

import time
from collections.abc import Callable

from zdriver.claims import rules
from zdriver.claims.book import Book, Who, Work
from zdriver.claims.desk import Desk
from zdriver.claims.finding import work
from zdriver.claims.ledger import Outcome
from zdriver.claims.model import Claim, Turn
from zdriver.claims.waiting import Bell


class Turns:
    """Thread-safe: who comes when is in the store."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def wait(
        self, work: Work, ticket: str, *, agent: str, lease: int, who: Who, seconds: float, line: int
    ) -> Turn:
        """The place that `ticket` names, after `seconds` or as soon as it is that one's turn.

        lease  µs
        line   the descriptor of the socket that it is asked over, to see that the asker is gone; -1: none
        """

        def unit(book: Book) -> Outcome:
            there = book.claim
            if there is not None and there.id == ticket and there.agent == agent:
                return Outcome(claim=book.picked_up(lease=lease, **who), ticket=ticket)
            if there is not None and there.agent == agent:
                return Outcome(claim=book.again(lease=lease, here=True, **who), ticket=ticket)
            if there is None and not book.tx.one("claim.by_id", id=ticket):
                taken = book.take(id=ticket, agent=agent, lease=lease, **who)
                if taken is not None:
                    return Outcome(claim=taken, ticket=ticket)
            given, ahead = book.wait(ticket, agent)
            return Outcome(holder=book.claim, ticket=given, ahead=ahead)

        def look() -> Outcome:
            # Who waits has time: hundreds may come at once, and the book is written by one after the other.
            return self._desk.write(work, unit, timeout=rules.ASK)

        with self._desk.bells.hung(ticket) as bell:
            done = self._until(look, ticket, bell, seconds, line)
        return Turn(ticket=done.ticket, claim=done.claim, ahead=done.ahead, holder=done.holder)

    def _until(
        self, look: Callable[[], Outcome], ticket: str, bell: Bell, seconds: float, line: int
    ) -> Outcome:
        done = look()
        end = time.monotonic() + seconds
        if self._desk.shared and done.claim is None:
            self._desk.keeper.within(rules.LOOK)
        while done.claim is None and done.ticket == ticket:
            woken = bell.wait(end - time.monotonic(), line)
            if woken == "gone" and self._desk.bells.owns(ticket, bell):
                self.leave(ticket)
            if woken != "rung":
                break
            done = look()
            if done.holder is None:  # its turn, and gone again; else it was told that it may be anybody's
                break
        return done

    def leave(self, id_: str) -> Claim | None:
        """Give up a place, or the claim that came of it, which is answered."""
        ledger = self._desk.ledger
        row = ledger.read(lambda tx: tx.one("claim.waiter", id=id_)) or ledger.by_id(id_)
        if row is None:
            return None

        def unit(book: Book) -> Outcome:
            book.tx.run("claim.waiter_drop", id=id_)
            there = book.claim
            if there is None or there.id != id_:
                return Outcome()
            ended = book.end("released")
            book.settle()
            return Outcome(claim=ended)

        return self._desk.write(work(row), unit, settle=False, timeout=rules.ASK).claim
