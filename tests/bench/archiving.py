"""The archive: bringing 100,000 rows there beside bare COPY, and searching a million."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from hashlib import md5
from typing import Any, LiteralString

import apsw
import psycopg

from tests.bench.measure import percentile, timed
from tests.bench.report import Figure, misses
from tests.bench.world import World
from zdriver.archive.archiver import Archiver
from zdriver.archive.rows import ENTRIES, EVENTS, Table, Values
from zdriver.archive.target import Target
from zdriver.core.clock import now_us
from zdriver.core.engines import Address
from zdriver.core.ids import new_id
from zdriver.events.envelope import seal
from zdriver.storage.catalog import statements
from zdriver.storage.sqlite import SqliteStore
from zdriver.testing.servers import PostgreSql, scratch

#: Half of them intents and milestones, half of them the events of those.
ROWS = 100_000
MILLION = 1_000_000
ROUNDS = 3
_VERBS = ("Refactor", "Extract", "Fix", "Measure", "Rename", "Review")
_NOUNS = ("database layer", "session handling", "search index", "status line", "plugin bridge")


def archive(world: World) -> Iterator[Figure]:
    with scratch("bench") as folder, PostgreSql(folder) as server:
        yield _moved(world, server)
        yield _searched(world, server)


def _moved(world: World, server: PostgreSql) -> Figure:
    store = SqliteStore(world.home.database)
    store.close()
    _fill(apsw.Connection(str(world.home.database)))
    ready = _ready(apsw.Connection(str(world.home.database), flags=apsw.SQLITE_OPEN_READONLY))
    ours, limit = [], []
    with SqliteStore(world.home.database) as store:
        archiver = Archiver(store, host="h", shown="", interval=86_400)
        for number in range(ROUNDS):
            os.environ["ZDRIVER_ARCHIVE_URL"] = server.database(f"ours{number}")
            ours.append(timed(archiver.run))
            bare = server.database(f"bare{number}")
            Target(Address(setting="archive.url", scheme="postgresql", url=bare), "made").close()
            limit.append(timed(partial(_copy, bare, ready)))
    return Figure(
        what=f"archive of {ROWS:,} rows",
        unit="s",
        ours=percentile(ours, 50),
        limit=percentile(limit, 50),
        against="COPY of the same rows, made before, by psycopg into the same tables with their indexes",
        target="<= 2x",
        misses=misses(ratio=percentile(ours, 50) <= 2 * percentile(limit, 50)),
    )


def _fill(connection: apsw.Connection) -> None:
    sql = statements("sqlite")
    with connection:
        at, context = now_us() - ROWS * 1_000_000, new_id()
        place = {"id": context, "host": "h", "zellij_session": "z", "root": "/home/me/project", "at": at}
        connection.execute(sql["context.add"], place)
        for number in range(ROWS // 2):
            id_, moment = new_id(), at + number * 1_000_000
            text = f"{_VERBS[number % 6]} {_NOUNS[number % 5]} number-{number % 997} step {number}"
            added: dict[str, object] = {
                "id": id_,
                "context_id": context,
                "type": "milestone",
                "text": text,
                "source": "manual",
            }
            added |= {"source": "manual", "at": moment, "kind": "milestone", "artifacts": '["src/api.ts"]'}
            connection.execute(sql["entry.add"], {**added, "commit_id": None, "intent_id": None}).fetchall()
            payload = {"id": id_, "text": text, "source": "manual", "context": {"id": context}}
            told = {"id": new_id(), "type": "milestone.recorded", "aggregate": f"context:{context}"}
            envelope = seal(told["id"], told["type"], moment, payload)
            connection.execute(
                sql["event.append"], {**told, "subject": id_, "at": moment, "envelope": envelope}
            ).fetchall()


def _ready(connection: apsw.Connection) -> list[tuple[Table, list[Values]]]:
    """The very rows that are archived."""
    sql = statements("sqlite")
    found = []
    more: dict[str, Any] = {"after": 0, "until": 2**62, "limit": ROWS}
    for table, statement in ((ENTRIES, "archive.entries"), (EVENTS, "archive.events")):
        cursor = connection.execute(
            sql[statement], {k: v for k, v in more.items() if f":{k}" in sql[statement]}
        )
        first = cursor.fetchone()
        assert first is not None
        names = [column[0] for column in cursor.get_description()]
        rows = [table.values(dict(zip(names, row, strict=True))) for row in (first, *cursor)]
        found.append((table, rows))
    assert sum(len(rows) for _, rows in found) == ROWS
    return found


def _copy(url: str, ready: list[tuple[Table, list[Values]]]) -> None:
    with psycopg.connect(url) as connection:
        for table, rows in ready:
            names = ", ".join(table.all_columns)
            with connection.cursor().copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(("made", *row, 1))


def _searched(world: World, server: PostgreSql) -> Figure:
    url = server.database("million")
    address = Address(setting="archive.url", scheme="postgresql", url=url)
    Target(address, "made").close()
    _million(url)
    os.environ["ZDRIVER_ARCHIVE_URL"] = url
    os.environ["ZDRIVER_ARCHIVE_INTERVAL"] = "31536000"
    frequent, common, rare = _word(2), _word(300), _word(15_000)
    questions: list[dict[str, Any]] = [
        {"query": frequent},
        {"query": common},
        {"query": rare},
        {"query": f"{frequent} {_word(5)}"},
        {"query": f"{common} {frequent}"},
        {"query": frequent[:2]},
        {"query": rare[:3]},
        {"query": "nothing-like-it"},
        {"query": ""},
        {"query": common, "repo": "/home/u3/code/p7"},
        {"query": "", "repo": "/home/u3/code/p7"},
        {"query": common, "host": "h7"},
        {"query": rare, "host": "h7"},
    ]
    seconds: list[float] = []
    slowest = (0.0, "")
    with world.daemon() as driver:
        for turn in range(9):
            for question in questions:
                took = timed(partial(driver.archive.history, **question))
                if turn:  # the first one reads the disk
                    seconds.append(took)
                    slowest = max(slowest, (took, str(question)))
    world.stop_daemon()
    tail = percentile(seconds, 95) * 1000
    return Figure(
        what=f"history --archive over {MILLION:,} entries",
        unit="ms",
        ours=percentile(seconds, 50) * 1000,
        tail=tail,
        target="p95 <= 50",
        against=f"none: the tail is the 95th percentile; {slowest[0] * 1000:.0f} ms for {slowest[1]}",
        misses=misses(p95=tail <= 50),
    )


#: The n-th word is said about 1/n as often as the first, as in a language.
_ADDED: LiteralString = """
INSERT INTO archive_entries (store, id, type, text, kind, artifacts, source, at, context_id, host,
    zellij_session, root, repo, words, batch)
SELECT 'made', lpad(n::text, 36, '0'), CASE n %% 4 WHEN 0 THEN 'intent' ELSE 'milestone' END,
    array_to_string(said, ' '), CASE n %% 4 WHEN 0 THEN NULL ELSE 'milestone' END, '[]', 'manual',
    timestamptz '2023-01-01' + n * interval '95 seconds', 'c' || n %% 200, 'h' || floor(20 * power(u, 3)),
    'z', '/home/u' || floor(20 * power(u, 3)) || '/code/p' || n %% 200 || '/feat-x', '',
    array_to_tsvector(said), 1
FROM (
    SELECT n, random() AS u, (
        SELECT array_agg(DISTINCT substr(md5(word::text), 1, 3 + word %% 6))
        FROM (
            SELECT 1 + 0 * (k + n) + floor(exp(random() * ln(20000)))::int AS word
            FROM generate_series(1, 5 + n %% 6) AS k
        ) AS drawn
    ) AS said
    FROM generate_series(%(begin)s::int, %(end)s::int) AS n
) AS made
"""


def _word(number: int) -> str:
    return md5(str(number).encode()).hexdigest()[: 3 + number % 6]


def _million(url: str) -> None:
    """Entries of twenty machines over three years. Indexes are made afterwards: nobody measures that."""
    with psycopg.connect(url, autocommit=True) as connection:
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'archive_entries'"
            " AND indexname NOT LIKE '%_pkey'"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        for begin in range(0, MILLION, 100_000):
            connection.execute(_ADDED, {"begin": begin, "end": begin + 99_999})
        for _, made_by in indexes:
            connection.execute(made_by)
        connection.execute("INSERT INTO archive_stores (store, archived_at) VALUES ('made', now())")
        connection.execute("VACUUM ANALYZE archive_entries")
