"""What is done under a lock is seen by who waited for it, and nobody waits for each other."""

from __future__ import annotations

import threading

import psycopg
import pytest

from tests.contract.claiming import make_worktrees
from tests.integration.storage.claims import ByUnits, Counting, Worktrees, rows, service
from tests.integration.storage.conftest import Opens, at
from zdriver.core.errors import Conflict
from zdriver.storage.port import Transaction
from zdriver.storage.postgres.store import PostgresStore
from zdriver.testing import until
from zdriver.testing.servers import PostgreSql

WORKS = ("feat-a", "feat-b", "feat-c")
WAITS = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@pytest.mark.parametrize("by", [Counting, ByUnits])
def test_a_claim_does_not_slip_in_where_a_removal_begins(
    store: Counting, known: Worktrees, database_url: str, opens: Opens, by: type[PostgresStore]
) -> None:
    """The removal has looked who holds it, and is not committed yet."""
    worktree = known["feat-a"][1].id
    began, go_on = threading.Event(), threading.Event()

    def unit(tx: Transaction) -> int:
        given = {"id": worktree, "agent": "two", "at": tx.now(), "step": "began", "owner": "me"}
        done = tx.run("removal.begin", **given)
        began.set()
        assert go_on.wait(30)
        return done

    removed: list[int] = []
    remover = opens()
    thread = threading.Thread(
        target=lambda: removed.append(remover.write(unit, lock=[f"worktree:{worktree}"]))
    )
    thread.start()
    assert began.wait(30)
    outcome: list[object] = []
    with by(at(database_url)) as asks:

        def claim() -> None:
            try:
                outcome.append(service(asks, known).claim("feat-a", agent="one", cwd="/"))
            except Conflict as error:
                outcome.append(error.message)

        asking = threading.Thread(target=claim)
        asking.start()
        until(lambda: rows(database_url, WAITS) == [(1,)], what="that the removal is waited for")
        go_on.set()
        thread.join(60)
        asking.join(60)
    assert removed == [1]
    assert outcome == ["feat-a is being made or removed"]
    assert rows(database_url, "SELECT count(*) FROM claims") == [(0,)]


def test_who_waits_on_two_machines_gets_it_in_turn_and_nobody_is_in_a_deadlock(
    store: Counting, database_url: str, opens: Opens
) -> None:
    """A turn that is given to another machine is an event of the worktree there."""
    here, there = make_worktrees(store, *WORKS), {}
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE repos SET host = 'h2', identity = 'same'")
        connection.commit()
        there = make_worktrees(store, *WORKS)
        connection.execute("UPDATE repos SET identity = 'same'")
    services = [service(store, here, "h2"), service(opens(), there, "h")]

    def turns(number: int, name: str) -> None:
        for _ in range(5):
            turn = services[number % 2].queue(name, agent=f"agent-{number}", cwd="/")
            assert turn.claim is not None
            services[number % 2].release(name, agent=f"agent-{number}", cwd="/")

    asked = [(number, name) for name in WORKS for number in range(4)]
    threads = [threading.Thread(target=turns, args=each) for each in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    tokens = rows(database_url, "SELECT name, token FROM claims c JOIN worktrees w ON w.id = c.worktree_id")
    assert sorted(tokens) == [(name, token) for name in WORKS for token in range(1, 21)]
    store.close()  # a session tells what happened in it at its end
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert rows(database_url, deadlocks) == [(0,)]


def test_who_waited_for_a_lock_sees_what_was_done_under_it_whatever_the_database_is_set_to(
    postgres_server: PostgreSql, database_url: str
) -> None:
    database = database_url.rpartition("/")[2]
    postgres_server.sql(f"ALTER DATABASE {database} SET default_transaction_isolation = 'repeatable read'")
    with PostgresStore(at(database_url)) as first, PostgresStore(at(database_url)) as second:
        there, go_on = threading.Event(), threading.Event()

        def put(tx: Transaction) -> None:
            there.set()
            assert go_on.wait(30)
            tx.run("meta.put", key="n", value="1")

        thread = threading.Thread(target=lambda: first.write(put, lock=["it"]))
        thread.start()
        assert there.wait(30)
        seen: list[object] = []
        looking = threading.Thread(
            target=lambda: seen.append(second.write(lambda tx: tx.one("meta.get", key="n"), lock=["it"]))
        )
        looking.start()
        until(lambda: rows(database_url, WAITS) == [(1,)], what="that it is waited for")
        go_on.set()
        thread.join(60)
        looking.join(60)
        assert seen == [{"value": "1"}]
