"""What a new connection has to see to before anybody uses it, and what is done to a store as a whole."""

from __future__ import annotations

from zdriver.core.engines import Address
from zdriver.core.errors import Unavailable
from zdriver.storage.catalog import migrations
from zdriver.storage.port import SCRUB_OWED
from zdriver.storage.postgres.compiling import statement
from zdriver.storage.postgres.connection import Connection, close_quietly, connect
from zdriver.storage.postgres.keys import lock_key
from zdriver.storage.postgres.migrating import PATIENCE, Schema, migrate, schema_of
from zdriver.storage.postgres.timing import counted
from zdriver.storage.postgres.transaction import PLACES
from zdriver.storage.postgres.watch import Session, Watch

#: Its migrations.
PART = "postgresql"
#: Where texts of users lie.
_TABLES = "contexts, entries, search, events, requests, restores, snapshots, blobs, archive_owed, tasks"
#: In `meta` while a SQLite store is being moved here (`zdriver/moving`).
MOVING = "moving"
#: Statements kept prepared per connection: more than there are, each from its second use on.
PREPARED = 500
#: A statement is planned once per connection: planning one on six tables takes ten times as long as
#: running it, and nearly no plan of ours depends on a value (`transaction.PLANNED_ANEW`).
SETTINGS = {"plan_cache_mode": "force_generic_plan"}
_BASE = b"""
SELECT b.base,
    COALESCE((SELECT max(sequence) FROM events), 0) / 4096 AS reached,
    CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT) AS next
FROM event_base b
"""


def open_session(address: Address, seconds: float, watch: Watch) -> tuple[Session, int, float]:
    """A session on a store of our schema, the server's version, and the seconds that it took to answer.

    Raises StoreTooNew, Unavailable, psycopg.Error.
    """
    connection = connect(address, autocommit=True, timeout=seconds, settings=SETTINGS)
    session = Session(connection)
    try:
        with watch.guarded(session, seconds):
            schema = schema_of(connection, PART)
        if schema.number != len(migrations(PART)):
            with watch.guarded(session, 2 * PATIENCE):  # another daemon may be at it
                schema = migrate(connection, PART)
        with watch.guarded(session, seconds):
            began = counted()
            session.base = _base(connection)
            latency = (counted() - began) / 1_000_000
            _name(connection, schema, address)
        connection.prepared_max, connection.prepare_threshold = PREPARED, 1
        return session, connection.info.server_version, latency
    except BaseException:
        close_quietly(connection)
        raise


def _base(connection: Connection) -> int:
    """What is added to transaction ids, so that new events come behind those that are there."""
    row = connection.execute(_BASE).fetchone()
    assert row is not None
    if row["reached"] < row["next"] + row["base"]:
        return int(row["base"])
    # Loaded from a dump of another server, whose transactions were counted higher.
    with connection.transaction():
        connection.execute(b"SELECT pg_advisory_xact_lock(%d)" % lock_key("event-base"))
        row = connection.execute(_BASE).fetchone()
        assert row is not None
        base: int = row["base"]
        if row["reached"] >= row["next"] + base:
            base = row["reached"] + 1 - row["next"]
            connection.execute(b"UPDATE event_base SET base = %s", (base,))
    return base


def _name(connection: Connection, schema: Schema, address: Address) -> None:
    """The store's own id, where every engine has it. Raises Unavailable for one that is still moving in."""
    found = connection.execute(b"SELECT key FROM meta WHERE key IN ('store_id', %s)", (MOVING,)).fetchall()
    known = {row["key"] for row in found}
    if MOVING in known:
        raise Unavailable(
            f"{address.setting}: a store was being moved to {address.shown}, and not all of it is there yet",
            hint="finish it: zdriver migrate --to URL; the SQLite store is as it was",
        )
    if "store_id" not in known:
        connection.execute(
            b"INSERT INTO meta (key, value) VALUES ('store_id', %s) ON CONFLICT (key) DO NOTHING",
            (schema.id,),
        )


def scrub(address: Address) -> None:
    """Remove what was deleted from the tables. Raises psycopg.Error."""
    connection = connect(address, autocommit=True)
    try:
        owed = connection.execute(statement("meta.get"), {"key": SCRUB_OWED}).fetchone()
        connection.execute(f"VACUUM {_TABLES}".encode())
        if owed is not None:  # one that came meanwhile has another value, and stays
            connection.execute(statement("meta.drop_value"), {"key": SCRUB_OWED, **owed})
    finally:
        close_quietly(connection)


assert PLACES == 4096, "as in migration 1 and above"
