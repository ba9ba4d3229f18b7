"""Following the event log over the socket: `events.list`, `events.newest`, `events.subscribe`.

A cursor is a position in the log. `subscribe` answers with the cursor it begins after, then
sends a notification per event, in order, each once:

    {"jsonrpc":"2.0","method":"event","params":{"cursor":7,"event":{"event_type":"intent.set",…}}}

Whoever reconnects with the last cursor it saw misses nothing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import msgspec

from zdriver.core.clock import to_us
from zdriver.core.errors import Unavailable
from zdriver.events import selecting
from zdriver.events.envelope import unseal
from zdriver.events.relay import failures
from zdriver.events.relay.failures import Failed
from zdriver.rpc.events_api import Logged, Subscribed
from zdriver.rpc.methods import MethodTable
from zdriver.rpc.server import Connection
from zdriver.storage.port import Row, Store

log = logging.getLogger(__name__)

#: Events read from the log at once; what a slow reader makes us hold.
PAGE = 200
#: Subscriptions of one connection.
SUBSCRIPTIONS_MAX = 8
#: Seconds after which a store that was away is read again.
AWAY = 1.0
#: Seconds a closing connection waits for its follower.
JOIN = 5.0


class _Frozen(msgspec.Struct):
    """`Logged` with the envelope's bytes as they were committed."""

    cursor: int
    event: msgspec.Raw


class _Notification(msgspec.Struct):
    params: _Frozen
    method: str = "event"
    jsonrpc: str = "2.0"


_encode = msgspec.json.Encoder().encode


class Events:
    """Implements `EventsApi`, and `subscribe` for connections."""

    def __init__(self, store: Store) -> None:
        self._store = store
        #: told that refused events are due at once
        self.again: Callable[[], None] = lambda: None

    def register(self, table: MethodTable) -> None:
        table.add_function("events.subscribe", self.subscribe, wants_connection=True)

    def list(
        self,
        *,
        after: int = 0,
        limit: int = 100,
        types: tuple[str, ...] = (),
        since: datetime | None = None,
        latest: bool = False,
    ) -> tuple[Logged, ...]:
        asked = {
            "after": after,
            "limit": max(1, min(limit, 1000)),
            "types": msgspec.json.encode(selecting.patterns(types)).decode(),
            "since": 0 if since is None else to_us(since),
        }
        rows = self._store.read(lambda tx: tx.all("event.latest" if latest else "event.oldest", **asked))
        found = (Logged(cursor=row["sequence"], event=unseal(row["envelope"])) for row in rows)
        return tuple(found)[::-1] if latest else tuple(found)

    def newest(self) -> int:
        row = self._store.read(lambda tx: tx.one("event.newest"))
        return int(row["sequence"] or 0) if row else 0

    def failed(self, *, limit: int = 1000) -> tuple[Failed, ...]:
        return failures.failed(self._store, limit)

    def retry(self, ids: tuple[str, ...] = (), *, everything: bool = False) -> int:
        tried = failures.retry(self._store, ids, everything=everything)
        self.again()
        return tried

    def lines(self, after: int) -> Iterator[tuple[int, bytes]]:
        """Cursor and notification of what comes next: the envelopes' bytes as they were committed."""
        for row in self._page(after, PAGE):
            frozen = _Frozen(row["sequence"], msgspec.Raw(row["envelope"]))
            yield row["sequence"], _encode(_Notification(frozen)) + b"\n"

    def _page(self, after: int, limit: int) -> Sequence[Row]:
        return self._store.read(lambda tx: tx.all("event.after", sequence=after, limit=limit))

    def subscribe(self, connection: Connection, after: int | None = None) -> Subscribed:
        """Follow the log from `after`, or from now on.

        A cursor behind the end is one of another log (the store was replaced or recovered): from the end on.
        """
        newest = self.newest()
        cursor = newest if after is None else min(after, newest)
        follower = _Follower(self, self._store, connection, cursor)
        connection.on_close(follower, most=SUBSCRIPTIONS_MAX)
        connection.then(follower.start)
        return Subscribed(cursor=cursor)


class _Follower:
    """Sends what is new to one connection, on a thread of its own: a slow reader holds up nobody."""

    def __init__(self, events: Events, store: Store, connection: Connection, cursor: int) -> None:
        self._events = events
        self._connection = connection
        self._cursor = cursor
        self._news = threading.Event()
        self._news.set()
        self._unsubscribe = store.subscribe(self._news.set)
        self._thread = threading.Thread(target=self._follow, name="events", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._unsubscribe()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(JOIN)

    def _follow(self) -> None:
        try:
            while self._news.wait() and not self._connection.closed:
                self._news.clear()
                try:
                    while self._send_page():
                        pass
                except Unavailable:  # the store is away: nothing is missed, it comes when that is back
                    self._news.wait(AWAY)
                    self._news.set()
        except OSError:
            pass  # the peer is gone, or did not read: its own thread ends the connection
        except Exception:
            log.exception("following the event log")
            self._connection.abort()

    def _send_page(self) -> bool:
        """Whether there was something to send."""
        before = self._cursor
        for cursor, line in self._events.lines(before):
            self._connection.send(line)
            self._cursor = cursor
        if self._cursor == before and (newest := self._events.newest()) < before:
            log.warning("the event log ends at %d now, not at %d: it was recovered", newest, before)
            self._cursor = newest
            return False
        return self._cursor != before
