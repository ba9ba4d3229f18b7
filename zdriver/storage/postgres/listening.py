"""News of other daemons: who waits for events or for a claim is woken by NOTIFY, not by asking.

NOTIFY serialises commits, so what is written often goes another way: the connection here says, in
transactions of its own and at most every few milliseconds, that there are new events. Only what is
rare and must not be late (`Transaction.notify`: a claim that was granted) is said with its commit.
A note that was lost with a daemon or a connection is made up for: everybody looks when a connection
stands again, and every few seconds.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg
from psycopg import sql

from zdriver.core.errors import ZdriverError
from zdriver.storage.postgres.compiling import statement
from zdriver.storage.postgres.connection import close_quietly
from zdriver.storage.postgres.watch import Session, Watch

log = logging.getLogger(__name__)

EVENTS = "events"
#: Seconds between two looks for events that nobody told of, and until the server must have answered.
LOOK, ANSWER = 5.0, 5.0
#: Seconds at least between two notes of ours, and two looks while a transaction is under way.
LEAST = 0.02
#: Seconds until connecting is tried again: at first, and at most.
BACKOFF = (0.1, 5.0)

_SAY = b"NOTIFY zdriver_events;"

Heard = Callable[[str], None]


class Listener:
    """A thread, started by the first who wants something of it. Thread-safe."""

    def __init__(
        self,
        open_one: Callable[[float], Session],
        watch: Watch,
        wake: Callable[[], None],
        idle: Callable[[float], None],
    ) -> None:
        """wake  tells subscribers of this process of events
        idle  is called now and then, with the seconds in which the server answered"""
        self._open_one = open_one
        self._watch = watch
        self._wake = wake
        self._idle = idle
        self._lock = threading.Lock()
        self._heard: dict[str, list[Heard]] = {}
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._news = False  #: events of this process that others have not been told of
        self._poke: tuple[int, int] | None = None
        self._latency = 0.0
        self._newest = 0
        self._settled = 0

    def listen(self, channel: str, heard: Heard) -> Callable[[], None]:
        """`heard` gets what is notified; "" when something may have been missed."""
        with self._lock:
            self._heard[channel] = [*self._heard.get(channel, ()), heard]
        self.start()
        self._poked()

        def end() -> None:
            with self._lock:
                self._heard[channel] = [each for each in self._heard[channel] if each is not heard]

        return end

    def start(self) -> None:
        with self._lock:
            if self._thread is not None or self._stopping.is_set():
                return
            self._poke = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            self._thread = threading.Thread(target=self._run, name="postgresql-news", daemon=True)
            self._thread.start()

    def news(self) -> None:
        """This process committed events."""
        self.start()
        if not self._news:  # else the thread is about to tell, this as well
            self._news = True
            self._poked()

    def stop(self) -> None:
        self._stopping.set()
        self._poked()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(2 * ANSWER)
        with self._lock:
            if self._poke is not None:
                for end in self._poke:
                    os.close(end)
                self._poke = None

    def _poked(self) -> None:
        with self._lock:
            if self._poke is not None:
                with suppress(BlockingIOError):  # full: it is woken already
                    os.write(self._poke[1], b"\0")

    # ---- the thread ---------------------------------------------------------------------

    def _run(self) -> None:
        wait = BACKOFF[0]
        while not self._stopping.is_set():
            try:
                session = self._open_one(ANSWER)
            except Exception as error:  # whatever it is: without this thread nobody hears of anything
                if not isinstance(error, ZdriverError):  # those are told by whoever needs an answer
                    log.exception("connecting to PostgreSQL")
                self._stopping.wait(wait)
                wait = min(wait * 2, BACKOFF[1])
                continue
            wait = BACKOFF[0]
            try:
                self._follow(session)
            except (psycopg.Error, OSError) as error:
                log.info("the connection for news was lost: %s", error)
            except Exception:  # as above
                log.exception("listening to PostgreSQL")
                self._stopping.wait(BACKOFF[1])
            finally:
                close_quietly(session.connection)

    def _follow(self, session: Session) -> None:
        """Until the connection is lost or all is over."""
        listening: set[str] = set()
        due = said_at = 0.0
        unsettled = False
        while not self._stopping.is_set():
            missed = self._listen(session, listening)
            for channel in missed - {EVENTS}:
                self._tell(channel, "")
            if EVENTS in missed:
                self._wake()  # also for who could not read what it was woken for
            told = self._received(session)
            now = time.monotonic()
            said = self._news and now - said_at >= LEAST
            if said:
                self._news, said_at = False, now
            if said or told or unsettled or now >= due or EVENTS in missed:
                unsettled = self._look(session, _SAY if said else b"")
                due = now + LOOK
                self._idle(self._latency)
            soon = LEAST if self._news or unsettled else due - time.monotonic()
            self._sleep(session, max(0.0, soon))

    def _listen(self, session: Session, listening: set[str]) -> set[str]:
        """Channels that are new on this connection: what came before was missed."""
        with self._lock:
            wanted = {EVENTS, *self._heard} - listening
        for channel in wanted:
            name = sql.Identifier(f"zdriver_{channel}").as_string(session.connection)
            self._asked(session, f"LISTEN {name}".encode())
        listening |= wanted
        return wanted

    def _received(self, session: Session) -> bool:
        """Hand out what came in. Whether another process told of events."""
        connection = session.connection
        told = False
        for note in connection.notifies(timeout=0):
            channel = note.channel.removeprefix("zdriver_")
            if channel != EVENTS:
                self._tell(channel, note.payload)
            elif note.pid != connection.info.backend_pid:
                told = True
        return told

    def _look(self, session: Session, say: bytes) -> bool:
        """Wake who reads events when there are new ones to be read; whether some cannot be yet.

        say  what is told to others in the same round trip
        """
        began = time.monotonic()
        row = self._asked(session, say + statement("event.standing"))
        self._latency = time.monotonic() - began
        newest, settled = (row["newest"] or 0, row["settled"]) if row else (0, 0)
        # Readable since the last look: what is new, and what an older transaction held up.
        if min(newest, settled - 1) > min(self._newest, self._settled - 1):
            self._wake()
        self._newest, self._settled = newest, settled
        return bool(newest >= settled)

    def _asked(self, session: Session, query: bytes) -> dict[str, int] | None:
        self._watch.begin(session, ANSWER)
        try:
            cursor = session.connection.execute(query)
            while cursor.nextset():
                pass
            return cursor.fetchone() if cursor.description else None
        finally:
            self._watch.end(session)

    def _tell(self, channel: str, text: str) -> None:
        with self._lock:
            heard = self._heard.get(channel, [])
        for each in heard:
            try:
                each(text)
            except Exception:  # of one that listens: the others hear it as well
                log.exception("what was heard on %s failed", channel)

    def _sleep(self, session: Session, seconds: float) -> None:
        assert self._poke is not None
        ready, _, _ = select.select([session.connection.fileno(), self._poke[0]], [], [], seconds)
        if self._poke[0] in ready:
            os.read(self._poke[0], 4096)
