"""`storage.port.Store` on PostgreSQL, which any number of processes and machines share."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any, Protocol, Self, TypeVar

import psycopg

from zdriver.core.clock import Clock
from zdriver.core.engines import Address, EngineHealth
from zdriver.core.errors import Unavailable, ZdriverError
from zdriver.storage.port import SCRUB_OWED, Reading, Transaction
from zdriver.storage.postgres import timing
from zdriver.storage.postgres.calling import Call
from zdriver.storage.postgres.causes import Down
from zdriver.storage.postgres.connection import close_quietly, lost, translate, translated
from zdriver.storage.postgres.lanes import Lanes
from zdriver.storage.postgres.link import Link
from zdriver.storage.postgres.listening import Listener
from zdriver.storage.postgres.opening import open_session, scrub
from zdriver.storage.postgres.pool import Pool
from zdriver.storage.postgres.timing import Sample, counted
from zdriver.storage.postgres.transaction import More, PostgresGlance, PostgresReading
from zdriver.storage.postgres.watch import Session, Watch
from zdriver.storage.postgres.writing import REQUEST_KEPT_US, Again, Unknown, Write

T = TypeVar("T")
V = TypeVar("V", covariant=True)
log = logging.getLogger(__name__)

#: Seconds for the first connection, for a read, and for what is under way when the store is closed.
OPENING, READ, CLOSING = 5.0, 10.0, 10.0
#: And for what is done at once, until a unit has to do it.
AT_ONCE = 5.0
#: Seconds at most between two tries of a unit that another one was in the way of.
PAUSE = 0.02
EXPIRE_EVERY = 600.0


class _InDoubt(Protocol[V]):
    """A write whose answer is lost."""

    def settled(self, session: Session, deadline: float, /) -> V: ...

    def unknown(self) -> Unavailable: ...


class PostgresStore:
    """Every method may be called from any thread. Do not fork after it is open."""

    #: Other daemons use it too, and its clock is the database's: nobody here corrects it.
    shared = True

    def __init__(self, address: Address, *, sinks: Sequence[str] = (), clock: Clock | None = None) -> None:
        """Connect, and bring the database to this program's schema.

        sinks  names that every event gets a delivery for
        clock  instead of the database's: for tests

        Raises StoreTooNew, Unavailable.
        """
        self._address = address
        self._sinks = tuple(sinks)
        self._clock = clock
        self._link = Link(address, "storage")
        self._sample = timing.NEVER
        self._several: set[CodeType] = set()  #: units that look more than once
        self._wakes: list[Callable[[], None]] = []
        self._wakes_lock = threading.Lock()
        self._expired_at = time.monotonic()
        self._watch = Watch()
        self._pool = Pool(self._open, self._watch)
        self._lanes = Lanes()
        self._listener = Listener(self._open, self._watch, self._wake, self._upkeep)
        try:
            # At once or not at all: whoever starts a daemon waits for it.
            self._pool.give(self._pool.take(time.monotonic() + OPENING, OPENING))
        except BaseException:
            self._pool.close(0)
            raise

    # ---- connections --------------------------------------------------------------------

    def _open(self, seconds: float) -> Session:
        try:
            session, version, latency = open_session(self._address, max(1.0, seconds), self._watch)
        except ZdriverError as error:
            self._link.down(error)
            raise
        except psycopg.Error as error:
            ours = translate(error, self._address)
            self._link.down(ours)
            raise ours from error
        self._link.up(version=version, latency=latency)
        return session

    def _session(self, deadline: float, busy: float) -> Session:
        """Waits a moment for a server that went away just now. Raises Unavailable."""
        wait = 0.05
        while True:
            refusal = self._link.refusal()
            if refusal is not None:
                raise refusal
            try:
                return self._pool.take(deadline, busy)
            except Down:
                if time.monotonic() + wait > deadline or not self._link.worth_waiting():
                    raise
            time.sleep(wait)  # nothing tells that a server is back
            wait = min(2 * wait, 0.4)

    def _lost(self, session: Session) -> None:
        close_quietly(session.connection)
        self._pool.lost()

    # ---- the port -----------------------------------------------------------------------

    def read(self, unit: Callable[[Reading], T]) -> T:
        """`Store.read`: run again on another connection when one is lost."""
        deadline = time.monotonic() + READ
        while True:
            session = self._session(deadline, READ)
            try:
                return self._read_once(session, unit)
            except psycopg.Error as error:
                if not lost(error, session.connection):
                    raise translate(error, self._address) from error
                self._lost(session)
                if time.monotonic() > deadline:
                    raise translate(error, self._address) from error
            finally:
                self._pool.give(session)

    def _read_once(self, session: Session, unit: Callable[[Reading], T]) -> T:
        """One round trip for a unit that looks once; a unit that looks again is run anew, on one view."""
        clock = self._clock or (self._sample.now if self._sample.fresh else None)
        code = getattr(unit, "__code__", None)
        if clock is not None and code not in self._several:
            try:
                return unit(PostgresGlance(session, clock))
            except More:
                if code is not None:
                    self._several.add(code)
        connection = session.connection
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
        if clock is None:
            cursor = connection.execute(f"{begin};SELECT {timing.ASK} AS now".encode())
            cursor.nextset()
            row = cursor.fetchone()
            assert row is not None
            sample = Sample(row["now"], counted())
            self._learn(sample)
            clock = sample.now
        else:
            connection.execute(begin.encode(), prepare=False)
        try:
            return unit(PostgresReading(session, clock))
        finally:
            if not connection.closed:
                connection.execute(b"ROLLBACK", prepare=False)

    def write(
        self,
        unit: Callable[[Transaction], T],
        *,
        lock: Sequence[str] = (),
        request: str = "",
        digest: str = "",
        result: type[T] | None = None,
        timeout: float = 5.0,
        urgent: bool = False,
    ) -> T:
        """`Store.write`. `urgent` changes nothing: room on the server is not ours to keep."""
        write = Write(
            unit,
            address=self._address,
            lock=lock,
            request=request,
            digest=digest,
            result=result,
            timeout=timeout,
            sinks=self._sinks,
            clock=self._clock,
        )
        value = self._written(write, timeout)
        if write.heard is not None:
            self._learn(write.heard)
        if write.emitted:
            self._told()
        return value

    def at_once(
        self, statement: str, /, *, result: type[T], request: str = "", digest: str = "", **params: Any
    ) -> T | None:
        """`Store.at_once`: one round trip. Nobody is waited for, but for a lost answer to be found."""
        call = Call(
            statement,
            params,
            address=self._address,
            request=request,
            digest=digest,
            result=result,
            sinks=self._sinks,
            clock=self._clock,
        )
        session = self._session(time.monotonic() + AT_ONCE, AT_ONCE)
        try:
            value = call.once(session)
        except Unknown as unknown:
            value = self._in_doubt(session, unknown, call, AT_ONCE)
        finally:
            self._pool.give(session)
        if value is not None:
            self._told()
        return value

    def _told(self) -> None:
        """Events were committed."""
        self._wake()
        self._listener.news()

    def _written(self, write: Write[T], timeout: float) -> T:
        deadline = time.monotonic() + timeout
        tries = 0
        while True:
            try:
                with self._lanes.held(write.locks, deadline):
                    return self._tried(write, timeout, deadline)
            except Again as again:
                if time.monotonic() > deadline and not again.in_doubt:
                    raise again.error from again
                if again.in_doubt:  # looking for what became of it took its time
                    deadline = time.monotonic() + timeout
            tries += 1
            # Who was in its way is in another process, perhaps: not both again at the same moment.
            time.sleep(random.uniform(0, min(PAUSE, 0.001 * 2**tries)))

    def _tried(self, write: Write[T], timeout: float, deadline: float) -> T:
        """Raises Again, and what `Store.write` raises."""
        session = self._session(deadline, 2 * timeout + 1)
        try:
            return write.once(session)
        except Again as again:
            if again.lost:
                self._lost(session)
            raise
        except Unknown as unknown:
            return self._in_doubt(session, unknown, write, timeout)
        finally:
            self._pool.give(session)

    def _in_doubt(self, session: Session, unknown: Unknown, write: _InDoubt[V], timeout: float) -> V:
        """What became of a write whose connection was lost at COMMIT. Raises Again, Unavailable."""
        self._lost(session)
        log.warning("a connection was lost at COMMIT: %s", unknown.error.message)
        deadline = time.monotonic() + timeout
        while True:
            try:
                session = self._session(deadline, timeout)
            except Unavailable as error:
                if time.monotonic() + 0.1 > deadline:
                    raise write.unknown() from error
                time.sleep(0.1)
                continue
            try:
                return write.settled(session, deadline)
            except psycopg.Error as error:
                self._lost(session)
                if time.monotonic() > deadline:
                    raise write.unknown() from error
            finally:
                self._pool.give(session)

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """`Store.subscribe`; commits of other processes count as well, some milliseconds later."""
        with self._wakes_lock:
            self._wakes = [*self._wakes, wake]
        self._listener.start()

        def end() -> None:
            with self._wakes_lock:
                self._wakes = [each for each in self._wakes if each is not wake]

        return end

    def listen(self, channel: str, heard: Callable[[str], None]) -> Callable[[], None]:
        """`Store.listen`, for all processes."""
        return self._listener.listen(channel, heard)

    def health(self) -> EngineHealth:
        return self._link.health()

    def recovery(self) -> None:
        """Nothing is recovered here: that is the server's work."""

    def recovery_seen(self) -> None:
        """There is nothing to see."""

    def scrub(self) -> None:
        """`Store.scrub`: dead rows are removed and their pages used again.

        The server's write-ahead log, its standbys and its backups are its administrator's.
        """
        with translated(self._address):
            scrub(self._address)

    def close(self) -> None:
        """Finish what was accepted, then let go."""
        self._listener.stop()
        self._pool.close(CLOSING)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    # ---- between ------------------------------------------------------------------------

    def _learn(self, sample: Sample) -> None:
        self._sample = sample
        self._link.up(said=sample.now())

    def _wake(self) -> None:
        for wake in self._wakes:
            try:
                wake()
            except Exception:  # the write is done, and the others are woken as well
                log.exception("a subscriber failed")

    def _upkeep(self, latency: float) -> None:
        """Now and then, on the listener's thread; what fails here fails nobody's write.

        latency  seconds in which the server has just answered
        """
        self._link.up(latency=latency)
        self._pool.trim()
        if time.monotonic() - self._expired_at < EXPIRE_EVERY:
            return
        self._expired_at = time.monotonic()
        try:
            self.write(lambda tx: tx.run("request.expire", before=tx.now() - REQUEST_KEPT_US))
            # Of a process that was killed after it had forgotten something.
            if self.read(lambda tx: tx.one("meta.get", key=SCRUB_OWED)) is not None:
                self.scrub()
        except ZdriverError as error:
            log.warning("upkeep of the store: %s", error.message)
