"""What every engine promises behind `storage.port.Store`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial

import msgspec
import pytest

from tests.contract.conftest import Ticking
from tests.contract.units import get, logged, put
from zdriver.core.errors import Conflict, Internal, InvalidInput, NotFound, Unavailable
from zdriver.core.ids import new_id
from zdriver.events.envelope import unseal
from zdriver.storage.port import Event, Reading, Store, Transaction

HOUR = 3_600_000_000


def test_what_was_written_is_read_now_and_after_reopening(
    reopen: Callable[[], AbstractContextManager[Store]],
) -> None:
    with reopen() as store:
        assert store.write(put("a", "1")) == "1"
        assert store.read(get("a")) == "1"
    with reopen() as store:
        assert store.read(get("a")) == "1"


def test_many_rows_are_written_in_order_and_none_are_too(store: Store) -> None:
    rows = [{"key": key, "value": str(number)} for number, key in enumerate(("a", "b", "a"))]

    def unit(tx: Transaction) -> None:
        tx.run_many("meta.put", rows)
        tx.run_many("meta.put", [])
        assert get("a")(tx) == "2"

    store.write(unit)
    assert [store.read(get(key)) for key in "ab"] == ["2", "1"]


def test_a_unit_that_fails_leaves_nothing(store: Store) -> None:
    def unit(tx: Transaction) -> None:
        put("a", "1")(tx)
        tx.emit(Event(type="x.y", aggregate="x:1", payload={"id": "1"}))
        raise InvalidInput("no")

    with pytest.raises(InvalidInput, match=r"^no$"):
        store.write(unit)
    assert store.read(get("a")) is None
    assert store.read(lambda tx: tx.all("event.after", sequence=0, limit=10)) == []


def test_a_unit_that_fails_takes_no_other_with_it(store: Store) -> None:
    """Many at once, so that they share transactions."""
    outcomes: dict[int, str] = {}

    def write(i: int) -> None:
        def unit(tx: Transaction) -> str:
            put(f"k{i}", str(i))(tx)
            tx.emit(Event(type="k.put", aggregate=f"k:{i % 5}", payload={"id": str(i)}))
            if i % 6 == 0:  # what waits to be written is written for it
                mine = tx.all("event.of_aggregate", aggregate=f"k:{i % 5}")
                assert str(i) in {row["subject"] for row in mine}
            if i % 3 == 0:
                raise NotFound(str(i))
            return str(i)

        try:
            outcomes[i] = store.write(unit, timeout=30)
        except NotFound as error:
            outcomes[i] = f"not found {error}"

    threads = [threading.Thread(target=write, args=(i,)) for i in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert outcomes == {i: f"not found {i}" if i % 3 == 0 else str(i) for i in range(60)}
    kept = {i for i in range(60) if store.read(get(f"k{i}")) is not None}
    assert kept == {i for i in range(60) if i % 3}
    events = logged(store, len(kept))
    assert {int(unseal(row["envelope"]).payload["id"]) for row in events} == kept
    for aggregate in range(5):
        of_it = [row["aggregate_seq"] for row in events if row["aggregate"] == f"k:{aggregate}"]
        assert of_it == list(range(1, len(of_it) + 1))


def test_read_then_write_loses_nothing(store: Store) -> None:
    def unit(tx: Transaction) -> None:
        row = tx.one("meta.get", key="n")
        tx.run("meta.put", key="n", value=str(int(row["value"]) + 1 if row else 1))

    def many() -> None:
        for _ in range(25):
            store.write(unit, lock=["counter"], timeout=60)

    threads = [threading.Thread(target=many) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert store.read(get("n")) == "800"


class Answer(msgspec.Struct):
    text: str


KEYS = pytest.mark.parametrize("key", [lambda: "r", new_id], ids=["any", "id"])


@KEYS
def test_a_repeated_request_gets_the_first_answer(store: Store, key: Callable[[], str]) -> None:
    runs = []
    r = key()

    def unit(tx: Transaction) -> Answer:
        runs.append(1)
        put("a", str(len(runs)))(tx)
        return Answer(str(len(runs)))

    for _ in range(3):
        assert store.write(unit, request=r, digest="d", result=Answer) == Answer("1")
    assert len(runs) == 1
    with pytest.raises(Conflict):
        store.write(unit, request=r, digest="other", result=Answer)
    assert store.write(unit, request="r2", digest="d", result=Answer) == Answer("2")


def test_a_request_that_comes_again_before_it_was_answered_is_served_once(store: Store) -> None:
    """Many at once, so that both may be in one transaction, and beside others that fail in it."""
    keys = [new_id() for _ in range(20)]
    answers: list[tuple[str, str]] = []

    def unit(tx: Transaction, key: str) -> Answer:
        put(f"{key}/{new_id()}", key)(tx)
        return Answer(new_id())

    def ask(key: str) -> None:
        serve = partial(unit, key=key)
        done = store.write(serve, lock=[key], request=key, digest="d", result=Answer, timeout=30)
        answers.append((key, done.text))

    def fail(tx: Transaction) -> None:
        put("failed", "1")(tx)
        raise NotFound("no")

    def failing() -> None:
        for _ in range(10):
            with suppress(NotFound):  # as it is meant to
                store.write(fail)

    threads = [threading.Thread(target=ask, args=(key,)) for key in keys for _ in range(3)]
    threads.append(threading.Thread(target=failing))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 60
    assert len(set(answers)) == 20


def test_a_failed_request_may_be_repeated(store: Store) -> None:
    def failing(tx: Transaction) -> Answer:
        raise NotFound("not yet")

    with pytest.raises(NotFound):
        store.write(failing, request="r", digest="d", result=Answer)
    assert store.write(lambda tx: Answer("now"), request="r", digest="d", result=Answer) == Answer("now")


@KEYS
def test_a_repeated_request_is_known_after_reopening(
    reopen: Callable[[], AbstractContextManager[Store]], key: Callable[[], str]
) -> None:
    r = key()
    for again in range(2):
        with reopen() as store:
            assert store.write(put("a", "1"), request=r, digest="d", result=str) == "1"
            store.write(put("a", "2"))
            assert store.read(get("a")) == "2", f"the first answer, not done again ({again})"


def test_requests_are_forgotten_after_a_day(
    reopen: Callable[[], AbstractContextManager[Store]], clock: Ticking
) -> None:
    with reopen() as store:
        store.write(put("a", "1"), request="r", digest="d", result=str)
    clock.ahead = 23 * HOUR
    with reopen() as store:
        store.write(put("b", "1"))
        assert store.write(put("a", "2"), request="r", digest="d", result=str) == "1"
    clock.ahead = 25 * HOUR
    with reopen() as store:
        store.write(put("b", "2"))
        assert store.write(put("a", "3"), request="r", digest="d", result=str) == "3"


def test_a_read_is_one_view(store: Store) -> None:
    """What is written while a read runs is in all of it or in nothing: it may be run anew."""
    store.write(put("a", "1"))

    def unit(tx: Reading) -> tuple[object, object]:
        first = get("a")(tx)
        writer = threading.Thread(target=lambda: store.write(put("a", "2")))
        writer.start()
        writer.join(10)
        return first, get("a")(tx)

    assert store.read(unit) in {("1", "1"), ("2", "2")}
    assert store.read(get("a")) == "2"


def test_a_read_cannot_write(store: Store) -> None:
    with pytest.raises(Unavailable):
        store.read(lambda tx: tx.one("meta.put", key="a", value="1"))
    assert store.read(get("a")) is None


def test_unknown_statements_are_our_mistake(store: Store) -> None:
    with pytest.raises(Internal, match="no statement"):
        store.read(lambda tx: tx.one("no.such"))


def test_a_broken_promise_of_the_schema_is_a_conflict(store: Store) -> None:
    def unit(tx: Transaction) -> None:
        for _ in range(2):
            tx.run("context.add", id="1", host="h", zellij_session="s", root="/", at=1)

    with pytest.raises(Conflict):
        store.write(unit)
    assert store.read(lambda tx: tx.one("context.by_id", id="1")) is None


def test_a_write_waits_no_longer_than_asked(store: Store) -> None:
    running, go_on = threading.Event(), threading.Event()

    def slow(tx: Transaction) -> None:
        running.set()
        go_on.wait(30)

    thread = threading.Thread(target=lambda: store.write(slow, lock=["it"], timeout=60))
    thread.start()
    assert running.wait(30)
    try:
        with pytest.raises(Unavailable, match="nothing was saved"):
            store.write(put("a", "1"), lock=["it"], timeout=0.05)
    finally:
        go_on.set()
        thread.join(10)
    store.write(put("b", "1"))
    assert store.read(get("a")) is None


def test_a_closed_store_says_so(reopen: Callable[[], AbstractContextManager[Store]]) -> None:
    with reopen() as store:
        store.write(put("a", "1"))
    with pytest.raises(Unavailable, match="closed"):
        store.write(put("a", "2"))
    with pytest.raises(Unavailable, match="closed"):
        store.read(get("a"))
    store.close()


def test_close_finishes_what_was_accepted(reopen: Callable[[], AbstractContextManager[Store]]) -> None:
    saved: list[int] = []
    refused: list[int] = []
    with reopen() as store:

        def many(k: int) -> None:
            for i in range(1000):
                try:
                    store.write(put(f"{k}.{i}", "x"))
                except Unavailable:
                    refused.append(k)
                    return
                saved.append(k * 1000 + i)

        threads = [threading.Thread(target=many, args=(k,)) for k in range(8)]
        for thread in threads:
            thread.start()
        while len(saved) < 50:
            threads[0].join(0.001)
    for thread in threads:
        thread.join(30)
    with reopen() as store:
        assert all(store.read(get(f"{n // 1000}.{n % 1000}")) == "x" for n in saved)
