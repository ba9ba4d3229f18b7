"""A connection that is lost, at whatever moment: a write is done once, or says that it was not done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from tests.integration.storage.conftest import Opens, at
from zdriver.core.errors import Unavailable
from zdriver.core.ids import new_id
from zdriver.storage.port import Event, Reading, Transaction
from zdriver.storage.postgres import pool
from zdriver.storage.postgres import store as stores
from zdriver.storage.postgres.store import PostgresStore
from zdriver.testing import until
from zdriver.testing.servers import PostgreSql, Proxy, scratch


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    with Proxy(database_url) as between:
        yield between


def counted(runs: list[int], *, event: bool = False) -> Callable[[Transaction], str]:
    """Adds one to `n`, however often it is run; `runs` says how often that was."""

    def unit(tx: Transaction) -> str:
        runs.append(1)
        row = tx.one("meta.get", key="n")
        value = str(int(row["value"]) + 1 if row else 1)
        tx.run("meta.put", key="n", value=value)
        if event:
            tx.emit(Event(type="n.grown", aggregate="n:1", payload={"id": value}))
        return value

    return unit


def n(store: PostgresStore) -> int:
    row = store.read(lambda tx: tx.one("meta.get", key="n"))
    return int(row["value"]) if row else 0


@pytest.mark.parametrize("request_id", ["r", ""])
def test_a_commit_whose_answer_is_lost_is_found_and_not_done_again(
    opens: Opens, proxy: Proxy, request_id: str
) -> None:
    """Known by its request or, without one, by its event."""
    store, beside = opens(proxy.url), opens()
    assert store.write(counted([]), request="first", result=str) == "1"
    runs: list[int] = []
    proxy.lose_answer(b"COMMIT")
    assert store.write(counted(runs, event=True), request=request_id, result=str) == "2"
    assert proxy.armed == 0
    assert (len(runs), n(beside)) == (1, 2)


def test_a_commit_that_nothing_can_be_found_of_is_said_to_be_in_doubt(opens: Opens, proxy: Proxy) -> None:
    store = opens(proxy.url)
    store.write(counted([]))
    proxy.lose_answer(b"COMMIT")
    with pytest.raises(Unavailable, match=r"^storage\.url: the connection was lost at the commit"):
        store.write(counted([]))
    assert n(store) == 2


def test_a_connection_that_is_lost_before_the_commit_is_no_loss(opens: Opens, proxy: Proxy) -> None:
    store = opens(proxy.url)
    runs: list[int] = []
    grow = counted(runs)

    def unit(tx: Transaction) -> str:
        if len(runs) == 1:
            proxy.reset()
        return grow(tx)

    assert store.write(grow) == "1"
    assert store.write(unit) == "2"
    assert (len(runs), n(store)) == (3, 2)


def test_what_is_read_is_read_again_on_another_connection(opens: Opens, proxy: Proxy) -> None:
    store = opens(proxy.url)
    store.write(counted([]))
    tries: list[int] = []

    def unit(tx: Reading) -> int:
        tries.append(1)
        if len(tries) < 3:
            proxy.reset()
        return sum(int(row["value"]) for row in tx.all("meta.get", key="n"))

    assert store.read(unit) == 1


def test_a_network_that_hangs_is_given_up(
    opens: Opens, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "READ", 1.0)
    store, beside = opens(proxy.url), opens()
    store.write(counted([]))
    proxy.hang()
    for ask in (lambda: store.write(counted([]), timeout=1), lambda: n(store)):
        with pytest.raises(Unavailable, match=r"^storage\.url: "):
            ask()
    assert store.health().state == "down"
    beside.write(counted([]))  # nobody else is kept waiting by what hangs
    proxy.resume()
    until(lambda: _answers(store), what="an answer")
    until(lambda: store.health().state == "ok", what="quick answers")


def _answers(store: PostgresStore, least: int = 2) -> bool:
    try:
        return n(store) >= least
    except Unavailable:
        return False


def test_an_aggregate_is_not_kept_from_others_by_a_process_that_is_gone(opens: Opens, proxy: Proxy) -> None:
    """Its locks go with its connection."""
    gone, here = opens(proxy.url), opens()
    holds, go_on = threading.Event(), threading.Event()

    def unit(tx: Transaction) -> None:
        holds.set()
        assert go_on.wait(30)

    thread = threading.Thread(target=lambda: gone.write(unit, lock=["it"]))
    thread.start()
    assert holds.wait(30)
    with pytest.raises(Unavailable, match="nothing was saved"):
        here.write(counted([]), lock=["it"], timeout=1)
    proxy.reset()  # as if its machine had vanished
    assert here.write(counted([]), lock=["it"]) == "1"
    go_on.set()
    thread.join(60)


def test_a_crowd_that_wants_one_thing_keeps_nobody_from_another(opens: Opens) -> None:
    """More of them wait than there are connections."""
    store = opens()
    holds, go_on = threading.Event(), threading.Event()

    def unit(tx: Transaction) -> None:
        holds.set()
        assert go_on.wait(60)

    first = threading.Thread(target=lambda: store.write(unit, lock=["it"], timeout=60))
    first.start()
    assert holds.wait(30)
    grow = counted([])
    crowd = [
        threading.Thread(target=lambda: store.write(grow, lock=["it", "more"], timeout=60))
        for _ in range(3 * pool.LIMIT)
    ]
    for thread in crowd:
        thread.start()
    for _ in range(20):
        store.write(lambda tx: tx.run("meta.put", key="another", value="1"), lock=["another"])
    go_on.set()
    for thread in (first, *crowd):
        thread.join(60)
    assert n(store) == len(crowd)


@pytest.fixture
def server() -> Iterator[PostgreSql]:
    with scratch("pg") as folder, PostgreSql(folder) as own:
        yield own


def _more(acknowledged: list[str]) -> None:
    done = len(acknowledged)
    until(lambda: len(acknowledged) > done + 40, what="40 more writes", deadline=60)


def test_a_server_that_is_killed_loses_and_doubles_nothing(server: PostgreSql) -> None:
    """Eight threads write while it is killed, again and again; each asks until it is answered."""
    url = server.database("one")
    acknowledged: list[str] = []
    stop = threading.Event()

    def work(store: PostgresStore, number: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            id_ = f"{number}.{count}"

            def unit(tx: Transaction, id_: str = id_) -> str:
                tx.emit(Event(type="work.done", aggregate=f"work:{number % 3}", payload={"id": id_}))
                return id_

            request = new_id()
            while not stop.is_set():
                try:
                    # No lock on the aggregate: what is in the way is noticed, and waited for next time.
                    store.write(unit, request=request, result=str, timeout=2)
                except Unavailable:
                    stop.wait(0.02)  # else eight of these take all there is from what starts
                    continue
                acknowledged.append(id_)
                break

    with PostgresStore(at(url)) as first, PostgresStore(at(url)) as second:
        threads = [threading.Thread(target=work, args=((first, second)[i % 2], i)) for i in range(8)]
        for thread in threads:
            thread.start()
        for _ in range(4):
            _more(acknowledged)
            server.kill()
            server.start()
        _more(acknowledged)
        stop.set()
        for thread in threads:
            thread.join(60)
    with psycopg.connect(server.admin_url("one")) as reader:
        rows = reader.execute(
            "SELECT subject, aggregate, aggregate_seq FROM events ORDER BY sequence"
        ).fetchall()
    subjects = [row[0] for row in rows]
    assert len(subjects) == len(set(subjects)), "doubled"
    assert set(acknowledged) <= set(subjects), "lost"
    for aggregate in {row[1] for row in rows}:
        given = [row[2] for row in rows if row[1] == aggregate]
        assert given == list(range(1, len(given) + 1)), "out of order"


def test_a_server_that_is_away_is_named_and_found_again(server: PostgreSql) -> None:
    url = server.database("one")
    with PostgresStore(at(url)) as store:
        store.write(counted([]))
        server.stop()
        for ask in (lambda: store.write(counted([]), timeout=0.3), lambda: n(store)):
            with pytest.raises(Unavailable, match=r"^storage\.url: .*127\.0\.0\.1") as refused:
                ask()
            assert "sesame" not in str(refused.value) + refused.value.hint
        health = store.health()
        assert (health.state, health.engine, health.setting) == ("down", "postgresql", "storage.url")
        server.start()
        until(lambda: _answers(store, least=1), what="an answer")
        assert store.write(counted([])) == "2"
        until(lambda: store.health().state == "ok", what="quick answers")
    with pytest.raises(Unavailable, match=r"^storage\.url: there is no database two"):
        PostgresStore(at(server.url_of("two")))
