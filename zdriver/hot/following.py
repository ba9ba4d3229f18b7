"""Keeps the hot copy up to date: a thread that follows the event log, behind every command.

Only ids are queued: what is written is the context as it is then, so that many changes of one
are one write. While the engine is down nothing is lost, since everything is read from the journal;
when it is back, or was emptied, every open context is written again.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence

from zdriver.core.clock import Clock, to_datetime
from zdriver.core.errors import Unavailable, ZdriverError
from zdriver.hot.breaker import Backoff
from zdriver.hot.model import HotView
from zdriver.hot.port import Keep
from zdriver.hot.reading import Views
from zdriver.storage.port import Reading, Row, Store, Transaction

log = logging.getLogger(__name__)

PACE = 0.04  #: seconds from one write to the next: of a burst, what comes meanwhile goes together
FOLLOW_EVERY = 30.0  #: seconds after which the log is looked at though nobody told of a commit
CHECK_EVERY = 2.0  #: seconds after which it is asked whether it was emptied
KEEP_EVERY = 6 * 3600.0  #: seconds after which what is open is written again, so that it stays
NOTE_EVERY = 60.0  #: seconds between two notes of how far the log was followed
BREATH = 0.005  #: seconds between two batches, for the threads that answer commands
BATCH = 32  #: contexts in one pipeline
PAGE = 500  #: events read at once
RETRY = 5.0  #: seconds after the store failed
LAST = 1.0  #: seconds that the daemon's end has for what is still to be written
JOIN = 5.0


class Following:
    """A component. `recover` takes back into the journal what only the hot copy has."""

    def __init__(
        self,
        store: Store,
        engine: Keep,
        views: Views,
        *,
        host: str,
        recover: Callable[[HotView], None],
        clock: Clock,
    ) -> None:
        self._store = store
        self._engine = engine
        self._views = views
        self._host = host
        self._recover = recover
        self._clock = clock
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hot", daemon=True)
        self._unsubscribe: Callable[[], None] = lambda: None
        self._cursor = 0
        self._noted: tuple[int, float] = (0, 0.0)  #: cursor, and when it was written down
        self._dirty: dict[str, None] = {}
        self._connected = False
        self._marked = False
        self._checked = self._kept = self._followed = 0.0
        self._ahead = 0
        self._backoff = Backoff()

    # ---- component ----------------------------------------------------------------------

    def start(self) -> None:
        self._unsubscribe = self._store.subscribe(self._news.set)
        self._thread.start()

    def stop(self) -> None:
        self._unsubscribe()
        self._stopping.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(JOIN)

    def lag(self) -> int:
        """Contexts that are still to be written."""
        return len(self._dirty)

    def caught_up(self) -> bool:
        """Whether all that was committed is in the hot copy. Reads the store."""
        newest = self._store.read(lambda tx: _sequence(tx.one("event.standing"), "newest"))
        # In this order: what is read from the log is to be written before the cursor goes beyond it.
        return self._cursor >= newest and self._marked and not self._dirty

    # ---- its thread ---------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            pause = self._step()
            if pause is None:
                self._stopping.wait(PACE)
                self._news.wait(CHECK_EVERY)
            else:
                self._stopping.wait(pause)
        if self._connected:
            self._step(last=True)
        self._note(at_once=True)

    def _step(self, *, last: bool = False) -> float | None:
        """One round; seconds to wait before the next, None when there is nothing to wait for but news."""
        try:
            self._round(until=time.monotonic() + LAST if last else None)
            self._backoff.reset()
            return None
        except Unavailable as error:  # of the engine, or of a store that is away
            log.info("the hot copy waits: %s", error.message)
            self._connected = self._marked = False
            pause = self._backoff.next(random.random())
        except ZdriverError as error:
            log.warning("the hot copy waits: %s", error.message)
            pause = RETRY
        except Exception:  # a defect of ours, or of a plugin's engine, must not end the following
            log.exception("keeping the hot copy")
            pause = RETRY
        self._news.set()  # the log may not have been followed to its end
        return pause

    def _round(self, until: float | None) -> None:
        """`until` is when a last round ends (by time.monotonic()); the others end when the daemon does."""
        now = time.monotonic()
        if not self._noted[1]:
            self._begin()
        if self._news.is_set() or until or now - self._followed >= FOLLOW_EVERY:
            self._news.clear()
            self._followed = now
            self._follow()
        if not self._connected:
            self._engine.connect()
            self._connected, self._marked = True, False
        elif now - self._checked >= CHECK_EVERY and self._marked:
            self._checked = now
            if not self._engine.intact():
                log.warning("the hot copy was emptied; it is written again")
                self._marked = False
        if not self._marked or now - self._kept >= KEEP_EVERY:
            self._kept = now
            self._add_all()
        while self._dirty and (time.monotonic() < until if until else not self._stopping.is_set()):
            self._write(list(self._dirty)[:BATCH])
            if self._dirty:
                self._stopping.wait(BREATH)
        if not self._marked and not self._dirty:
            self._engine.mark()
            self._marked, self._checked = True, now
        self._note()

    def _begin(self) -> None:
        """Where the log was left. What was forgotten meanwhile is taken out; the rest is written anyway."""
        cursor = self._store.read(lambda tx: _number(tx.one("meta.get", key=f"hot_cursor/{self._host}")))
        self._ahead = self._store.read(lambda tx: _number(tx.one("meta.get", key=self._ahead_key))) or 0
        newest = self._newest()
        self._cursor = newest if cursor is None else min(cursor, newest)
        self._noted = (-1, time.monotonic())
        if cursor is None:
            self._put(f"hot_cursor/{self._host}", self._cursor)

    def _follow(self) -> None:
        while rows := self._store.read(lambda tx: tx.all("event.after", sequence=self._cursor, limit=PAGE)):
            self._add(self._named(rows))
            self._cursor = rows[-1]["sequence"]
            if len(rows) < PAGE:
                return
        newest = self._newest()
        if newest < self._cursor:  # another log: the store was replaced or recovered
            self._cursor = newest
            self._add_all()

    def _named(self, rows: Sequence[Row]) -> list[str]:
        """Ids of the contexts that these events are about."""
        aggregates = dict.fromkeys(str(row["aggregate"]) for row in rows)
        mine = f"zellij_session:{self._host}/"
        sessions = [each.removeprefix(mine) for each in aggregates if each.startswith(mine)]
        ids = [each.removeprefix("context:") for each in aggregates if each.startswith("context:")]

        def unit(tx: Reading) -> list[str]:
            found = (tx.all("context.open_in", host=self._host, zellij_session=name) for name in sessions)
            return [row["id"] for rows in found for row in rows]

        return ids + (self._store.read(unit) if sessions else [])

    def _write(self, ids: Sequence[str]) -> None:
        try:
            self._write_all(ids)
        except ZdriverError:
            raise
        except Exception:  # whatever an engine makes of one context: it holds up no other
            if len(ids) == 1:
                log.exception("context %s is left out of the hot copy", ids[0])
                self._dirty.pop(ids[0], None)
                return
            for id_ in ids:
                self._write([id_])

    def _write_all(self, ids: Sequence[str]) -> None:
        due = self._views.of(ids, to_datetime(self._clock()), self._ahead)
        refused = self._engine.save(due.save, due.live) if due.save else ()
        if due.drop:
            self._engine.drop(due.drop)
        for id_ in ids:
            if id_ not in refused:
                self._dirty.pop(id_, None)
        for id_ in refused:
            self._take_back(id_)

    def _take_back(self, id_: str) -> None:
        """The hot copy is newer than the journal: that went back, as a store that was recovered does.

        It is still to be written then, also where this fails.
        """
        view = self._engine.load(id_)
        if view is None:  # what stands there is none, whatever its version says
            self._engine.drop([id_])
            return
        if view.site.host != self._host:
            self._dirty.pop(id_, None)
            return
        log.warning("context %s: the hot copy is newer than the journal; what is missing is taken back", id_)
        self._recover(view)
        self._ahead = max(self._ahead, view.version - self._newest())
        self._put(self._ahead_key, self._ahead)

    # ---- small parts --------------------------------------------------------------------

    @property
    def _ahead_key(self) -> str:
        return f"hot_ahead/{self._host}"

    def _add_all(self) -> None:
        self._add(self._views.all_hot(to_datetime(self._clock())))

    def _add(self, ids: Sequence[str]) -> None:
        self._dirty.update(dict.fromkeys(ids))

    def _newest(self) -> int:
        """That can be read; on PostgreSQL there may be newer ones, for a moment."""
        return self._store.read(lambda tx: _sequence(tx.one("event.newest")))

    def _note(self, *, at_once: bool = False) -> None:
        cursor, at = self._noted
        due = at_once or time.monotonic() - at >= NOTE_EVERY
        if due and self._cursor != cursor and not self._dirty and self._marked:
            try:
                self._put(f"hot_cursor/{self._host}", self._cursor)
            except ZdriverError as error:  # then more of the log is read the next time
                log.info("how far the log was followed is not noted: %s", error.message)
            self._noted = (self._cursor, time.monotonic())

    def _put(self, key: str, number: int) -> None:
        def unit(tx: Transaction) -> None:
            tx.run("meta.put", key=key, value=str(number))

        self._store.write(unit)


def _number(row: Row | None) -> int | None:
    return None if row is None else int(row["value"])


def _sequence(row: Row | None, column: str = "sequence") -> int:
    return int(row[column] or 0) if row is not None else 0
