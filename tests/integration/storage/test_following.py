"""Who follows the log of several daemons sees each event once, in order, whatever is committed first."""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable

import psycopg
import pytest

from tests.integration.storage.conftest import Opens
from zdriver.core.errors import Internal
from zdriver.storage.port import Event, Reading, Row, Transaction
from zdriver.storage.postgres.store import PostgresStore
from zdriver.testing import until

DAEMONS, THREADS, EACH = 3, 4, 40


def emit(aggregate: str, id_: str) -> Event:
    return Event(type="thing.done", aggregate=aggregate, payload={"id": id_})


def page_after(cursor: int) -> Callable[[Reading], list[Row]]:
    return lambda tx: tx.all("event.after", sequence=cursor, limit=7)


class Follower:
    """Reads behind its cursor each time it is woken, as `rpc/events.py` does."""

    def __init__(self, store: PostgresStore) -> None:
        self.rows: list[Row] = []
        self._store = store
        self._news = threading.Event()
        self._over = False
        self._end = store.subscribe(self._news.set)
        self._thread = threading.Thread(target=self._follow)
        self._thread.start()

    def _follow(self) -> None:
        cursor = 0
        while self._news.wait() and not self._over:
            self._news.clear()
            while page := self._store.read(page_after(cursor)):
                self.rows += page
                cursor = page[-1]["sequence"]

    def caught_up(self, total: int) -> None:
        until(lambda: len(self.rows) >= total, what="all events", deadline=60)

    def close(self) -> None:
        self._end()
        self._over = True
        self._news.set()
        self._thread.join(30)


def test_nothing_is_missed_and_all_is_in_order(opens: Opens) -> None:
    """Writers whose transactions overlap in every way, with followers on each daemon."""
    stores = [opens() for _ in range(DAEMONS)]
    followers = [Follower(store) for store in stores]

    def work(store: PostgresStore, number: int) -> None:
        dice = random.Random(number)
        for i in range(EACH):
            aggregates = dice.sample([f"a:{k}" for k in range(4)], dice.randint(1, 2))

            def unit(tx: Transaction, i: int = i, aggregates: list[str] = aggregates) -> None:
                # Written to before it emits: the transaction's number is given out long before its commit.
                tx.run("meta.put", key=f"k{number}", value=str(i))
                for aggregate in aggregates:
                    tx.emit(emit(aggregate, f"{number}.{i}.{aggregate}"))

            store.write(unit, lock=dice.choice([[], aggregates, aggregates[:1]]), timeout=60)

    threads = [threading.Thread(target=work, args=(stores[k % DAEMONS], k)) for k in range(DAEMONS * THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    [total] = stores[0].read(lambda tx: tx.all("archive.behind", cursor=0))
    try:
        for follower in followers:
            follower.caught_up(total["events"])
    finally:
        for follower in followers:
            follower.close()
    for follower in followers:
        ids = [row["id"] for row in follower.rows]
        assert len(ids) == len(set(ids)) == total["events"]
        seen: dict[str, list[int]] = defaultdict(list)
        for row in follower.rows:
            seen[row["aggregate"]].append(row["aggregate_seq"])
        assert all(given == list(range(1, len(given) + 1)) for given in seen.values())


def test_an_event_waits_for_older_transactions_and_is_told_when_they_end(
    opens: Opens, database_url: str
) -> None:
    store = opens()
    follower = Follower(opens())
    try:
        with psycopg.connect(database_url) as beside:
            beside.execute("SELECT pg_current_xact_id()")  # a transaction that may still commit before
            store.write(lambda tx: tx.emit(emit("a:1", "1")))
            assert store.read(lambda tx: tx.all("event.after", sequence=0, limit=10)) == []
            newest = store.read(lambda tx: tx.one("event.newest"))
            assert newest == {"sequence": None}
        until(lambda: [row["aggregate"] for row in follower.rows] == ["a:1"], what="the event")
    finally:
        follower.close()


def test_a_unit_whose_event_would_come_too_early_is_run_again_behind_the_other(opens: Opens) -> None:
    """It has its number from before it could know that another one is about the same aggregate."""
    store, other = opens(), opens()
    runs: list[int] = []

    def unit(tx: Transaction) -> None:
        runs.append(1)
        if len(runs) == 1:
            other.write(lambda tx: tx.emit(emit("a:1", "other")))
        tx.emit(emit("a:1", "late"))

    store.write(unit)
    rows = store.read(lambda tx: tx.all("event.of_aggregate", aggregate="a:1"))
    assert len(runs) == 2
    assert [row["subject"] for row in sorted(rows, key=lambda row: row["sequence"])] == ["other", "late"]


def test_a_store_that_was_loaded_into_another_server_goes_on_behind_its_end(
    opens: Opens, database_url: str
) -> None:
    """There, transactions are counted from the beginning: as if its events had far higher numbers."""
    with opens() as store:
        store.write(lambda tx: tx.emit(emit("a:1", "1")))
    with psycopg.connect(database_url) as beside:
        beside.execute("UPDATE events SET sequence = sequence + 4096000000")
    with opens() as store:
        store.write(lambda tx: tx.emit(emit("a:1", "2")))

        def both() -> list[str] | None:
            rows = store.read(lambda tx: tx.all("event.after", sequence=0, limit=10))
            return [str(row["aggregate_seq"]) for row in rows] if len(rows) == 2 else None

        assert until(both, what="both events") == ["1", "2"]


@pytest.mark.parametrize("count", [1, 4097])
def test_a_unit_emits_as_many_events_as_it_has_places_for(opens: Opens, count: int) -> None:
    store = opens()

    def unit(tx: Transaction) -> None:
        for i in range(count):
            tx.emit(emit("a:1", str(i)))

    if count == 1:
        store.write(unit)
    else:
        with pytest.raises(Internal, match="more than 4096 events"):
            store.write(unit)
    [total] = store.read(lambda tx: tx.all("archive.behind", cursor=0))
    assert total["events"] == (count if count == 1 else 0)
