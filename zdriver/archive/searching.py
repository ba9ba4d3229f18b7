"""Looking things up in the archive: one connection, kept from one question to the next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, LiteralString, TypeVar

import msgspec
import psycopg

from zdriver.archive import frequencies
from zdriver.archive.frequencies import Frequencies
from zdriver.archive.model import ArchivedEntry
from zdriver.context.model import Context
from zdriver.core.engines import Address
from zdriver.core.errors import NotFound
from zdriver.core.tokens import query_words
from zdriver.forges.urls import identity
from zdriver.storage.postgres.connection import (
    Connection,
    close_quietly,
    connect,
    lost,
    translate,
)
from zdriver.storage.postgres.migrating import check_schema, migrate, schema_of
from zdriver.storage.postgres.watch import Session, Watch

T = TypeVar("T")

FREQUENCIES_KEPT = 600.0  #: seconds
#: Seconds that an answer may take; then the server counts as hung.
PATIENCE = 10.0
#: Rows that are searched again and again are in memory, or on disks that seek in no time.
SETTINGS = {"random_page_cost": "1.1"}

_COLUMNS: LiteralString = (
    "e.id, e.type, e.text, e.kind, e.artifacts::text AS artifacts, e.commit_id, e.at, e.source, e.context_id,"
    " e.zellij_session, e.root, e.repo, e.store, e.host,"
    " (SELECT h.name FROM archive_hosts h WHERE h.host = e.host) AS name"
)


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for; what is empty does not matter."""

    query: str = ""
    since: datetime | None = None
    root: str = ""  #: what lies there or below …
    remote: str = ""  #: … or belongs to a clone of this repository
    host: str = ""  #: name or id
    before: str = ""  #: id of an entry
    limit: int = 50


class Searching:
    """Thread-safe; one question at a time."""

    def __init__(self, address: Address) -> None:
        """address  of the archive. Nothing is connected before a question."""
        self._address = address
        self._session: Session | None = None
        self._watch = Watch()
        self._lock = threading.Lock()
        self._frequencies: Frequencies | None = None
        self._read_at = 0.0

    def close(self) -> None:
        with self._lock:
            if self._session is not None:
                close_quietly(self._session.connection)
                self._session = None

    def history(self, asked: Asked) -> list[ArchivedEntry]:
        """Newest first. Raises NotFound for an unknown `before`, Unavailable."""
        words = query_words(asked.query)
        if asked.query.strip() and not words:
            return []
        return self._ask(
            lambda connection: _history(connection, asked, words, self._frequencies_of(connection))
        )

    def _frequencies_of(self, connection: Connection) -> Frequencies:
        """Read again now and then: they change with each run of the archive."""
        now = time.monotonic()
        if self._frequencies is None or now - self._read_at > FREQUENCIES_KEPT:
            self._frequencies, self._read_at = frequencies.read(connection), now
        return self._frequencies

    def ending(self, store: str, end: str) -> list[ArchivedEntry]:
        """Entries of this store whose id ends so; two at most."""
        query: LiteralString = (
            "SELECT " + _COLUMNS + " FROM archive_entries e"
            " WHERE e.store = %s AND right(e.id, length(%s)) = %s ORDER BY e.id LIMIT 2"
        )
        return self._ask(
            lambda connection: [_entry(row) for row in connection.execute(query, (store, end, end))]
        )

    def _ask(self, question: Callable[[Connection], T]) -> T:
        """A connection that was lost since the last question is made anew, once."""
        with self._lock:
            known = self._session is not None
            try:
                return self._once(question)
            except psycopg.Error as error:
                if not known or self._session is not None:
                    raise translate(error, self._address) from error
            try:
                return self._once(question)
            except psycopg.Error as error:
                raise translate(error, self._address) from error

    def _once(self, question: Callable[[Connection], T]) -> T:
        if self._session is None:
            self._session = Session(_connected(self._address))
        session = self._session
        try:
            with self._watch.guarded(session, PATIENCE):
                return question(session.connection)
        except psycopg.Error as error:
            if lost(error, session.connection):
                close_quietly(session.connection)
                self._session = None
            raise


def _connected(address: Address) -> Connection:
    connection = connect(address, autocommit=True, settings=SETTINGS)
    try:
        # Each question is planned for the words that it has: how rare they are decides.
        connection.prepare_threshold = None
        schema = schema_of(connection, "archive")
        if schema.number:
            check_schema(schema, "archive")
        else:
            migrate(connection, "archive")
    except BaseException:
        close_quietly(connection)
        raise
    return connection


def _history(
    connection: Connection, asked: Asked, words: list[str], known: Frequencies
) -> list[ArchivedEntry]:
    conditions: list[LiteralString] = ["e.undone_at IS NULL"]
    values: dict[str, Any] = {"limit": asked.limit}
    if words:
        # Words of letters and digits, as the index has them: there is nothing to quote in them.
        quoted = [*(f"'{word}'" for word in words[:-1]), f"'{words[-1]}':*"]
        if known.beginning_is_last(words):
            # No index is used for what is asked to be true, and the planner knows how likely it is.
            conditions.append("(e.words @@ %(beginning)s::tsquery) IS TRUE")
            values["beginning"] = quoted.pop()
        conditions.append("e.words @@ %(words)s::tsquery")
        values["words"] = " & ".join(quoted)
    if asked.since is not None:
        conditions.append("e.at >= %(since)s")
        values["since"] = asked.since
    if asked.host:
        # Known before the question is planned: how much a machine has said decides how it is answered.
        named = connection.execute("SELECT host FROM archive_hosts WHERE name = %s", (asked.host,))
        conditions.append("e.host = ANY(%(hosts)s)")
        values["hosts"] = [asked.host, *(row["host"] for row in named)]
    if asked.root:
        place: LiteralString = "e.root = %(root)s OR e.root LIKE %(below)s"
        values |= {"root": asked.root, "below": _literally(asked.root.rstrip("/")) + "/%"}
        if asked.remote:
            place += " OR (e.repo <> '' AND e.repo = %(remote)s)"
            values["remote"] = identity(asked.remote)
        conditions.append("(" + place + ")")
    if asked.before:
        conditions.append("(e.at, e.id) < (%(at)s, %(before)s)")
        values |= {"before": asked.before, "at": _moment_of(connection, asked.before)}
    statement: LiteralString = (
        "SELECT " + _COLUMNS + " FROM archive_entries e WHERE " + " AND ".join(conditions)
    )
    found = connection.execute(statement + " ORDER BY e.at DESC, e.id DESC LIMIT %(limit)s", values)
    return [_entry(row) for row in found]


def _moment_of(connection: Connection, id_: str) -> datetime:
    row = connection.execute(
        "SELECT at FROM archive_entries WHERE store IN (SELECT store FROM archive_stores) AND id = %s", (id_,)
    ).fetchone()
    if row is None:
        raise NotFound(
            f"there is no entry {id_!r} in the archive", hint="give the id of the last entry shown"
        )
    moment: datetime = row["at"]
    return moment


def _literally(text: str) -> str:
    """For LIKE."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _entry(row: dict[str, Any]) -> ArchivedEntry:
    return ArchivedEntry(
        id=row["id"],
        type=row["type"],
        text=row["text"],
        kind=row["kind"],
        artifacts=msgspec.json.decode(row["artifacts"], type=tuple[str, ...]),
        commit=row["commit_id"],
        at=row["at"].astimezone(UTC),
        source=row["source"],
        context=Context(id=row["context_id"], zellij_session=row["zellij_session"], root=row["root"]),
        host=row["name"] or row["host"],
        repo=row["repo"],
        store=row["store"],
    )
