"""What every engine promises behind `storage.port.Store`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial

import msgspec
import pytest

from tests.contract.conftest import Ticking
from zdriver.core.errors import Conflict, Internal, InvalidInput, NotFound, Unavailable
from zdriver.core.ids import new_id
from zdriver.events.envelope import unseal
from zdriver.storage.port import Event, Reading, Row, Store, Transaction
from zdriver.testing import until

HOUR = 3_600_000_000


def put(key: str, value: str) -> Callable[[Transaction], str]:
    def unit(tx: Transaction) -> str:
        tx.run("meta.put", key=key, value=value)
        return value

    return unit


def get(key: str) -> Callable[[Reading], str | None]:
    def unit(tx: Reading) -> str | None:
        row = tx.one("meta.get", key=key)
        return None if row is None else str(row["value"])

    return unit


def logged(store: Store, count: int) -> list[Row]:
    """The first events, once so many can be read: an older transaction may hold them up for a moment."""

    def found() -> list[Row] | None:
        rows = store.read(lambda tx: tx.all("event.after", sequence=0, limit=count + 1))
        return rows if len(rows) == count else None

    return until(found, what=f"{count} events")


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
            outcomes[i] = store.write(unit)
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
            store.write(unit, lock=["counter"])

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
        done = store.write(partial(unit, key=key), lock=[key], request=key, digest="d", result=Answer)
        answers.append((key, done.text))

    def fail(tx: Transaction) -> None:
        put("failed", "1")(tx)
        raise NotFound("no")

    def failing() -> None:
        for _ in range(10):
            with suppress(NotFound):
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


def test_events_are_in_order_per_aggregate_with_frozen_bytes(store: Store, clock: Ticking) -> None:
    def unit(tx: Transaction) -> int:
        for n in range(3):
            tx.emit(Event(type="thing.done", aggregate=f"a:{n % 2}", payload={"id": f"i{n}", "n": n}))
        return tx.now()

    now = store.write(unit)
    rows = logged(store, 3)
    assert [(row["aggregate"], row["aggregate_seq"]) for row in rows] == [("a:0", 1), ("a:1", 1), ("a:0", 2)]
    assert [row["sequence"] for row in rows] == sorted(row["sequence"] for row in rows)
    envelope = unseal(rows[2]["envelope"])
    assert (envelope.event_type, envelope.payload) == ("thing.done", {"id": "i2", "n": 2})
    assert envelope.event_id == rows[2]["id"]
    assert envelope.timestamp.endswith("Z")
    assert abs(rows[2]["at"] - now) < 10_000_000


def test_a_subscriber_is_woken_after_a_commit_with_events(store: Store) -> None:
    seen: list[int] = []
    woken = threading.Event()

    def wake() -> None:
        # Already readable: the wake, or one that follows it, came after the commit.
        if found := store.read(lambda tx: tx.all("event.after", sequence=0, limit=10)):
            seen.append(len(found))
            woken.set()

    def emit(tx: Transaction) -> None:
        tx.emit(Event(type="a.b", aggregate="a:1", payload={}))

    end = store.subscribe(wake)
    store.write(put("a", "1"))
    store.write(emit)
    assert woken.wait(10)
    assert set(seen) == {1}
    end()
    store.write(emit)
    logged(store, 2)
    assert set(seen) == {1}


def test_who_listens_hears_what_was_committed(store: Store) -> None:
    heard: list[str] = []

    def noted(text: str, fail: bool) -> Callable[[Transaction], None]:
        def unit(tx: Transaction) -> None:
            put("a", text)(tx)
            tx.notify("claims", text)
            if fail:
                raise InvalidInput("no")

        return unit

    def hear(text: str) -> None:
        assert not text or store.read(get("a")) is not None  # it came after the commit
        heard.append(text)

    end = store.listen("claims", hear)
    store.listen("others", heard.append)
    with pytest.raises(InvalidInput):
        store.write(noted("never", True))

    def said(text: str) -> bool:
        store.write(noted(text, False))
        return text in heard

    until(lambda: said("1"), what="a note")  # what came before is made up for by a look at the store
    store.write(noted("2", False))
    until(lambda: "2" in heard, what="the next note")
    end()
    store.write(noted("3", False))
    store.write(lambda tx: tx.notify("others", "last"))
    until(lambda: "last" in heard, what="a note on another channel")
    assert not {"never", "3"} & set(heard)


def test_a_subscriber_that_fails_harms_nobody(store: Store) -> None:
    def wake() -> None:
        raise RuntimeError("broken")

    store.subscribe(wake)
    store.write(lambda tx: tx.emit(Event(type="a.b", aggregate="a:1", payload={})))
    assert store.write(put("a", "1")) == "1"


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
    assert running.wait(10)
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
