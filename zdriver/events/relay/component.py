"""The relay: a thread that gives what was committed to a sink, and forgets it when the sink has it."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from zdriver.core.engines import Address, EngineHealth
from zdriver.core.errors import Unavailable, ZdriverError
from zdriver.events import trying
from zdriver.events.relay.backlog import BATCH, Backlog
from zdriver.events.relay.book import Book, Refusal, Standing
from zdriver.events.relay.leading import Alone, Leader
from zdriver.events.sinks import EventSink, Outgoing
from zdriver.events.trying import Condition

log = logging.getLogger(__name__)

#: Seconds after which the store is read though nobody said that there is something: another
#: machine's `zdriver events retry` is not heard here.
SWEEP = 30.0
#: Seconds between two batches that are far from full: each is a durable write beside those of commands.
PACE = 0.02
#: Seconds after which one that does not lead asks again.
STAND_BY = 5.0
#: Seconds between two counts of what is still to go.
COUNT = 1.0


class Relay:
    """A component. No command waits for it: it reads what they committed."""

    def __init__(
        self,
        book: Book,
        sink: EventSink,
        address: Address,
        *,
        leader: Leader | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._book, self._sink, self._address = book, sink, address
        self._leader = leader or Alone()
        self._chance = chance
        self._backlog = Backlog(book)
        self._stopping = threading.Event()
        self._news = threading.Event()  #: there may be something to do
        self._anew = threading.Event()  #: what was read before does not count any more
        self._lost = ""  #: why the connection ended between two batches
        self._failures = 0  #: in a row
        self._owed: list[int] = []  #: the sink has them, and the store does not know it yet
        self._standing: Standing | None = None
        self._counted = 0.0
        self._swept = 0.0  #: when everything was last read anew
        self._state = Condition("down", datetime.now(UTC), f"{address.setting}: not connected yet")
        self._thread = threading.Thread(target=self._run, name=f"relay-{book.sink}", daemon=True)
        self._unsubscribe: Callable[[], None] = lambda: None

    # ---- the component -------------------------------------------------------------------

    def start(self) -> None:
        self._unsubscribe = self._book.store.subscribe(self._news.set)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._unsubscribe()
        self._news.set()
        self._sink.abort()
        if self._thread.is_alive():
            self._thread.join()

    def again(self) -> None:
        """Refused events are due: look at once, also for a broker that was away."""
        self._anew.set()
        self._news.set()

    @property
    def pending(self) -> int:
        """Events that are still to go, as of a moment ago."""
        return self._standing.lag if self._standing else 0

    def health(self) -> EngineHealth:
        said, state = self._sink.state(), self._state
        standing, slow = self._standing, state.state == "ok" and said.slow
        message, hint = state.message, state.hint
        if slow:
            message = f"{self._address.setting}: {said.slow}"
        elif state.state == "ok" and standing is not None and standing.aside:
            message = f"events that could not be published: {standing.aside}"
            hint = "`zdriver events failed` lists them, with why"
        return EngineHealth(
            engine=self._book.sink,
            role="events",
            setting=self._address.setting,
            address=self._address.shown,
            state="slow" if slow else state.state,
            message=message,
            hint=hint,
            version=said.version,
            latency_ms=said.latency_ms,
            lag=None if standing is None else standing.lag,
            since=state.since,
        )

    # ---- its thread ----------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._leader.lead():
                    self._connected_while_well()
                else:
                    self._stand_by()
            except ZdriverError as error:
                self._failed(error)
            except Exception as error:  # a sink of a plugin, or a defect of ours: no reason to give up
                log.exception("publishing events")
                self._failed(Unavailable(f"{self._address.setting}: {type(error).__name__}: {error}"))
            finally:
                self._sink.close()
        self._leader.release()

    def _connected_while_well(self) -> None:
        """Raises ZdriverError when it is not well any more."""
        self._lost = ""
        self._sink.open(self._on_lost)
        if self._state.state != "ok" or self._state.message:
            log.info("%s: connected to %s", self._address.setting, self._address.shown)
            self._state = Condition("ok", datetime.now(UTC))
        self._anew.set()
        while not self._stopping.is_set() and self._leader.lead():
            self._news.clear()
            if self._anew.is_set():
                self._anew.clear()
                self._backlog.reset()
                self._swept = time.monotonic()
            self._settle([], [])
            batch = self._backlog.next()
            if batch:
                self._give(batch)
            else:
                self._rest()

    def _give(self, batch: list[Outgoing]) -> None:
        outcome = self._sink.send(batch)
        refusals = self._backlog.settled(batch, outcome, self._chance())
        for each in refusals:
            log.warning("event %d was refused: %s", each.sequence, each.error)
        self._settle(outcome.accepted, refusals)
        if outcome.accepted or refusals:
            self._failures = 0
        self._count()
        if outcome.broken and not self._stopping.is_set():
            raise Unavailable(outcome.broken)
        if len(batch) < BATCH // 2:
            self._stopping.wait(PACE)

    def _settle(self, accepted: tuple[int, ...] | list[int], refusals: list[Refusal]) -> None:
        """A store that cannot be written to now learns later what arrived: nothing is sent before."""
        self._owed += accepted
        if self._owed or refusals:
            self._book.settle(self._owed, refusals)
            self._owed = []

    def _rest(self) -> None:
        """Until there is something to do."""
        self._count(now=True)
        due = self._backlog.wait()
        if not self._lost:  # said before `_news` was cleared
            self._news.wait(SWEEP if due is None else min(due, SWEEP))
        if time.monotonic() - self._swept > SWEEP:
            self._anew.set()
        if self._lost:
            raise Unavailable(self._lost)
        self._failures = 0

    def _stand_by(self) -> None:
        waits = "another daemon on this store publishes"
        if self._state.message != waits:
            self._state = Condition("ok", datetime.now(UTC), waits)
        self._count(now=True)
        self._stopping.wait(STAND_BY)

    def _on_lost(self, why: str) -> None:
        self._lost = why
        self._news.set()

    def _failed(self, error: ZdriverError) -> None:
        """Note it, and wait before the next attempt; longer each time."""
        if self._stopping.is_set():
            return
        self._anew.clear()  # a new connection begins anew anyway; from here on it means: at once
        self._failures += 1
        if self._state.is_news(error):
            log.warning("%s; %s", error.message, error.hint or "it is tried again")
        self._state = self._state.down(error, datetime.now(UTC))
        self._count(now=self._standing is None)
        wait = trying.backoff(self._failures, self._chance(), first=trying.FIRST, most=trying.MOST)
        deadline = time.monotonic() + wait
        while (left := deadline - time.monotonic()) > 0 and not self._anew.is_set():
            if self._news.is_set() and self._is_count_due():
                self._news.clear()
                self._count()
            if self._stopping.wait(min(left, COUNT)):
                return

    def _count(self, *, now: bool = False) -> None:
        if not now and not self._is_count_due():
            return
        try:
            self._standing = self._book.standing()
        except ZdriverError:
            self._standing = None
        self._counted = time.monotonic()

    def _is_count_due(self) -> bool:
        return time.monotonic() - self._counted >= COUNT
