"""Independent readers: plain drivers and SQL, nothing of zdriver's."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pika
import psycopg
import redis

from tests.faults.counting import Hold, Mark, Seen

#: what of an event's payload its operation is known by
_KNOWN_BY = {
    "intent.set": "text",
    "milestone.recorded": "text",
    "worktree.claimed": "agent",
    "worktree.released": "claim",
    "worktree.created": "name",
}
_TYPES = tuple(_KNOWN_BY)

_ENTRIES = "SELECT CASE type WHEN 'intent' THEN 'intent.set' ELSE 'milestone.recorded' END, text FROM entries"
_CLAIMED = "SELECT 'worktree.claimed', agent FROM claims"
_RELEASED = "SELECT 'worktree.released', id FROM claims WHERE ended = 'released'"
_CREATED = "SELECT 'worktree.created', name FROM worktrees WHERE state = 'ready' AND title LIKE 'op-%'"
_HOLDS = (
    "SELECT w.name, c.token, c.claimed_at, c.ended_at FROM claims c JOIN worktrees w ON w.id = c.worktree_id"
)
_LOG = "SELECT id, aggregate, aggregate_seq, envelope FROM events ORDER BY sequence"


class Stored(NamedTuple):
    """A store's tables."""

    rows: Counter[Mark]
    log: list[Seen]
    order: dict[str, tuple[str, int]]  #: id of an event → (aggregate, place within it)


class Sql:
    """The store by SQL: psycopg for `postgresql://…`, else sqlite3 for the path of a database."""

    def __init__(self, where: str) -> None:
        self._where = where

    def _all(self, statement: str) -> list[tuple[Any, ...]]:
        if self._where.startswith("postgresql:"):
            with psycopg.connect(self._where, connect_timeout=10) as connection:
                return connection.execute(statement.encode()).fetchall()
        with closing(sqlite3.connect(f"file:{self._where}?mode=ro", uri=True, timeout=30)) as database:
            return database.execute(statement).fetchall()

    def stored(self) -> Stored:
        rows: Counter[Mark] = Counter()
        for statement in (_ENTRIES, _CLAIMED, _RELEASED, _CREATED):
            rows.update((str(type_), str(what)) for type_, what in self._all(statement))
        log, order = list[Seen](), dict[str, tuple[str, int]]()
        for id_, aggregate, place, envelope in self._all(_LOG):
            order[id_] = (aggregate, place)
            log += _seen(bytes(envelope))
        return Stored(rows, log, order)

    def holds(self) -> list[Hold]:
        return [Hold(*row) for row in self._all(_HOLDS)]

    def owed(self) -> int:
        """Events that are not published yet."""
        return int(self._all("SELECT count(*) FROM deliveries")[0][0])

    def events(self) -> int:
        return int(self._all("SELECT count(*) FROM events")[0][0])


class Observer:
    """A queue of one's own, bound to everything; from before the first event on."""

    def __init__(self, url: str, exchange: str = "bloodbank.events.v1") -> None:
        self._parameters = pika.URLParameters(url)
        self._exchange = exchange

    def begin(self) -> None:
        with pika.BlockingConnection(self._parameters) as connection:
            channel = connection.channel()
            channel.exchange_declare(self._exchange, "topic", durable=True)
            channel.queue_declare("observer", durable=True)
            channel.queue_bind("observer", self._exchange, "#")

    def has_queue(self, name: str) -> bool:
        with pika.BlockingConnection(self._parameters) as connection:
            try:
                connection.channel().queue_declare(name, passive=True)
            except pika.exceptions.ChannelClosedByBroker:
                return False
            return True

    def seen(self) -> tuple[list[Seen], list[str]]:
        """Everything that came: what our operations made, and the ids of all in their order."""
        found, ids = list[Seen](), list[str]()
        with pika.BlockingConnection(self._parameters) as connection:
            channel = connection.channel()
            # One by one: the queue itself says when it is empty, and not that nothing came for a while.
            while (body := channel.basic_get("observer", auto_ack=True)[2]) is not None:
                ids.append(str(json.loads(body)["event_id"]))
                found += _seen(body)
        return found, ids


def audited(url: str) -> tuple[list[Seen], list[str]]:
    """What `zdriver events audit` wrote: the same two."""
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass('audit')").fetchall() == [(None,)]:
            return [], []
        rows = connection.execute(
            "SELECT event_id, envelope::text FROM audit ORDER BY received_at"
        ).fetchall()
    found = [each for _id, envelope in rows for each in _seen(envelope)]
    return found, [str(id_) for id_, _envelope in rows]


def audit_size(url: str) -> int:
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass('audit')").fetchall() == [(None,)]:
            return 0
        return int(connection.execute("SELECT count(*) FROM audit").fetchall()[0][0])


def archived(url: str) -> list[Seen]:
    """The events in the archive. What an entry's text is there has to be said by its own row as well."""
    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass('archive_events')").fetchall() == [(None,)]:
            return []
        events = connection.execute("SELECT envelope::text FROM archive_events").fetchall()
        texts = {text for (text,) in connection.execute("SELECT text FROM archive_entries").fetchall()}
    seen = [each for (envelope,) in events for each in _seen(envelope)]
    return [each for each in seen if _KNOWN_BY[each.mark[0]] != "text" or each.mark[1] in texts]


def stale(url: str, said: dict[str, tuple[str, str]]) -> int:
    """How many contexts have another intent in Redis than the one that was acknowledged last."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        return sum(client.hget(f"session:{id_}", "intent") != text for id_, text in said.values())


def _seen(envelope: bytes | str) -> Iterator[Seen]:
    event = json.loads(envelope)
    if (type_ := event["event_type"]) in _TYPES:
        known_by = event["payload"][_KNOWN_BY[type_]]
        # Every host has worktrees of its own for the others' claims; those are no operations.
        if type_ != "worktree.created" or "op-" in known_by:
            yield Seen(event["event_id"], (type_, known_by))


def database_of(folder: Path) -> str:
    """The embedded store of a home."""
    return str(folder / ".local" / "share" / "zdriver" / "zdriver.db")
