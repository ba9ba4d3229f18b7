"""When to archive, and what the store is told of it: the daemon's side."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime
from typing import Literal

import msgspec

from zdriver.archive.model import (
    Archived,
    Committed,
    Confirmed,
    Counts,
    Meets,
    Order,
    Prunable,
    Said,
    Settled,
)
from zdriver.archive.pruning import prune
from zdriver.archive.working import PATIENCE as SILENCE
from zdriver.archive.working import Worker
from zdriver.core.clock import Clock, now_us
from zdriver.core.engines import EngineHealth
from zdriver.core.errors import ZdriverError
from zdriver.storage.port import Store

log = logging.getLogger(__name__)

#: Seconds between two looks at the clock at most. A machine that slept is noticed by one, so what was
#: missed is done within a minute of its waking up.
LOOK_EVERY = 60.0
#: Seconds to the next try after a failure: the first, and the longest; never more than the interval.
RETRY, RETRY_MAX = 60.0, 3600.0
#: Seconds that `health` waits to count what is not there yet.
PATIENCE = 0.05
#: Seconds that `forget` waits for a run that is under way, and for a word of its own.
FORGETTING = 8.0
DAY_US = 86_400 * 1_000_000


class Archiver:
    """A component, and `ArchiveApi.run`. Thread-safe.

    store     whose history it is
    host      id of this machine
    shown     the archive's address, without secrets
    interval  seconds from one run to the next
    keep_days what is older goes from the store once the archive has it; 0: nothing goes
    """

    def __init__(
        self,
        store: Store,
        *,
        host: str,
        shown: str,
        interval: float,
        keep_days: int = 0,
        clock: Clock = now_us,
    ) -> None:
        self._store = store
        self._host = host
        self._interval = interval
        self._keep_days = keep_days
        self._clock = clock
        self._worker = Worker()
        self._running, self._noting = threading.Lock(), threading.Lock()
        self._ending = threading.Event()
        self._asked, self._counted = threading.Event(), threading.Event()
        self._due = 0  #: µs: the next run
        self._retry = RETRY
        self._cursor: int | None = None
        self._pruned = Counts()
        self._health = EngineHealth(
            engine="postgresql",
            role="archive",
            setting="archive.url",
            address=shown,
            state="ok",
            since=datetime.now(UTC),
        )
        self._thread = threading.Thread(target=self._live, name="archive", daemon=True)

    # -- a component -----------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._asked.set()
        self._worker.stop()
        if self._thread.is_alive():
            self._thread.join(10.0)

    def _live(self) -> None:
        while not self._ending.is_set():
            self._asked.clear()
            now = self._clock()
            # Neither a clock that was set back nor one that was set forward makes it wait for long.
            if now >= self._due or self._due - now > 2 * self._interval * 1_000_000 + RETRY_MAX * 1_000_000:
                self.look()
            self._count()
            left = max(0.0, (self._due - self._clock()) / 1_000_000)
            self._asked.wait(min(left, LOOK_EVERY))

    def look(self) -> None:
        """Archive, unless somebody did within the interval and nothing is owed. Raises nothing."""
        try:
            owes = self._store.read(lambda tx: tx.one("archive.owed", after=0, limit=1)) is not None
            within = 0.0 if owes else self._interval * 0.99
            with self._running:
                report = self._run(Order(host=self._host, unless_within=within))
        except ZdriverError as error:
            if not self._ending.is_set():
                log.warning("the archive has to wait: %s; %s", error.message, error.hint)
            self._due = self._clock() + round(min(self._retry, self._interval) * 1_000_000)
            self._retry = min(self._retry * 2, RETRY_MAX)
        except Exception:  # a defect of ours is no reason to archive nothing any more
            log.exception("archiving")
            self._due = self._clock() + round(RETRY_MAX * 1_000_000)
        else:
            self._settle(report)

    def _settle(self, report: Archived) -> None:
        self._retry = RETRY
        wait = self._interval
        if report.elsewhere:  # one that is at it for the first time may never get to its end
            at = report.archived_at
            age = self._interval if at is None else (datetime.now(UTC) - at).total_seconds()
            wait = min(max(self._interval - age, min(RETRY, self._interval)), self._interval)
        self._due = self._clock() + round(wait * 1_000_000)

    # -- what can be asked -----------------------------------------------------------------

    def run(self, *, dry_run: bool = False) -> Archived:
        """`ArchiveApi.run`. Who comes while one runs waits for it, then does what is left."""
        with self._running:
            report = self._run(Order(host=self._host, what="count" if dry_run else "run"))
        if not dry_run:
            self._settle(report)
        return report

    def forget(self) -> Literal["done", "owed"]:
        """What was just forgotten is forgotten in the archive, too; owed: it will be, when that answers."""
        # Whoever waits here wants to go on: an archive that hangs is not waited for.
        if self._running.acquire(timeout=FORGETTING):
            try:
                # Only that: how far the archive is behind otherwise is no matter of who forgets.
                report = self._run(Order(host=self._host, what="forget"), patience=FORGETTING)
                if not report.elsewhere:
                    return "done"
            except ZdriverError as error:
                log.warning("the archive has not forgotten it yet: %s", error.message)
            finally:
                self._running.release()
        self._due = min(self._due, self._clock() + round(RETRY * 1_000_000))
        return "owed"

    def health(self) -> EngineHealth:
        """As of the last run; what is not there yet is counted now, if that can be done at once."""
        self._counted.clear()
        self._asked.set()
        self._counted.wait(PATIENCE)
        return self._health

    # -- inside ----------------------------------------------------------------------------

    def _run(self, order: Order, *, patience: float | None = None) -> Archived:
        if self._keep_days and order.what == "run":
            before = self._clock() - self._keep_days * DAY_US
            order = msgspec.structs.replace(order, prune_before=before)
        self._pruned = Counts()
        try:
            report = self._worker.run(order, self._heard, patience=patience or SILENCE)
        except ZdriverError as error:
            if not self._ending.is_set():
                self._note(state="down", message=error.message, hint=error.hint)
            raise
        self._note(state="ok", message="", hint="", lag=report.behind)
        return msgspec.structs.replace(report, pruned=self._pruned)

    def _heard(self, said: Said) -> None:
        """What is confirmed is written down at once. Raises what the store raises.

        All of it is urgent: a few bytes, after which old rows may go from a disk that is full.
        """
        store = self._store
        match said:
            case Meets(archive=archive):
                known = store.read(lambda tx: tx.one("archive.confirmed", id=archive))
                self._cursor = 0 if known is None else int(known["cursor"])
                if known is None:
                    store.write(lambda tx: tx.run("archive.meet", id=archive), urgent=True)
                self._note(version=said.version, latency_ms=said.latency_ms, skew_ms=said.skew_ms)
            case Confirmed(archive=archive, cursor=cursor, archived_at=at):
                row = {"id": archive, "cursor": cursor, "archived_at": at}
                store.write(lambda tx: tx.run("archive.confirm", **row), urgent=True)
                self._cursor = cursor
            case Settled(seqs=seqs):
                store.write(lambda tx: [tx.run("archive.owed_done", seq=seq) for seq in seqs], urgent=True)
            case Prunable():
                gone = store.write(lambda tx: prune(tx, said), urgent=True)
                self._pruned = self._pruned.plus(gone)
            case Committed():
                pass  # that it said something is enough: the report has the sums

    def _count(self) -> None:
        """How much is not there yet."""
        try:
            if self._cursor is None:
                known = self._store.read(lambda tx: tx.one("archive.known"))
                self._cursor = 0 if known is None else int(known["cursor"])
            cursor = self._cursor
            row = self._store.read(lambda tx: tx.one("archive.behind", cursor=cursor))
            self._note(lag=0 if row is None else int(row["events"]))
        except ZdriverError:
            pass  # the store's own trouble is told elsewhere
        self._counted.set()

    def _note(self, **changes: object) -> None:
        with self._noting:  # who asks for a run does so in a thread of its own
            if changes.get("state", self._health.state) != self._health.state:
                changes["since"] = datetime.now(UTC)
            self._health = msgspec.structs.replace(self._health, **changes)
