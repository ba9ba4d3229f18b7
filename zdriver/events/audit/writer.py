"""Events into the table `audit` in PostgreSQL: each once, by its id, however often it arrives."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from zdriver.core.engines import Address
from zdriver.events.audit.rows import Row, row
from zdriver.events.consuming import Message
from zdriver.storage.postgres import migrating
from zdriver.storage.postgres.connection import close_quietly, connect, translate
from zdriver.storage.postgres.watch import Session, Watch

#: Seconds that a batch may take; then the server counts as hung. Less than who stops the daemon waits.
PATIENCE = 10.0
_INSERT = """
INSERT INTO audit (event_id, type, aggregate, aggregate_seq, at, envelope)
SELECT e.event_id, e.type, e.aggregate, e.aggregate_seq, e.at, CAST(e.envelope AS json)
FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::timestamptz[], %s::text[])
    WITH ORDINALITY AS e (event_id, type, aggregate, aggregate_seq, at, envelope, place)
ORDER BY e.place
ON CONFLICT (event_id) DO NOTHING
"""


class Writer:
    """For one thread. `write` is a `consuming.Handle`."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._session: Session | None = None
        self._watch = Watch()
        self.written = 0  #: events that are there because of this one
        self.known = 0  #: that were there already
        self.hopeless = 0  #: messages that are no events

    def write(self, messages: Sequence[Message]) -> list[int]:
        """Durably; the tags of those that are no events. Raises Unavailable while the database is away."""
        rows = {message.tag: row(message) for message in messages}
        good = [each for each in rows.values() if each is not None]
        hopeless = [tag for tag, each in rows.items() if each is None]
        try:
            hopeless += self._insert(good)
        except psycopg.Error as error:
            self.close()
            raise translate(error, self._address) from error
        self.hopeless += len(hopeless)
        return hopeless

    def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            close_quietly(session.connection)

    def _insert(self, rows: Sequence[Row]) -> list[int]:
        """The tags of those that PostgreSQL cannot keep. Raises psycopg.Error."""
        if not rows:
            return []
        try:
            new = self._run(rows)
        except psycopg.DataError:
            if len(rows) == 1:
                return [rows[0].tag]
            half = len(rows) // 2
            return self._insert(rows[:half]) + self._insert(rows[half:])
        self.written += new
        self.known += len(rows) - new
        return []

    def _run(self, rows: Sequence[Row]) -> int:
        columns = (
            [each.event_id for each in rows],
            [each.type for each in rows],
            [each.aggregate for each in rows],
            [each.aggregate_seq for each in rows],
            [each.at for each in rows],
            [each.envelope for each in rows],
        )
        # A statement is a transaction of its own: it is durable when this returns.
        session = self._connected()
        with self._watch.guarded(session, PATIENCE):
            return session.connection.execute(_INSERT, columns).rowcount

    def _connected(self) -> Session:
        if self._session is None:
            made = Session(connect(self._address, autocommit=True))
            try:
                with self._watch.guarded(made, 2 * migrating.PATIENCE):  # another daemon may be at it
                    migrating.migrate(made.connection, "archive")
            except BaseException:
                close_quietly(made.connection)
                raise
            self._session = made
        return self._session
