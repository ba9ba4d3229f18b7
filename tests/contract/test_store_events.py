"""What every engine promises of events, and of the news of what was committed."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from tests.contract.conftest import Ticking
from tests.contract.units import get, logged, put
from zdriver.core.errors import InvalidInput
from zdriver.events.envelope import unseal
from zdriver.storage.port import Event, Store, Transaction
from zdriver.testing import until


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
    assert woken.wait(30)
    assert set(seen) == {1}
    end()
    others = threading.Event()
    store.subscribe(others.set)  # is woken behind it

    def unheard() -> bool:
        before = len(seen)
        others.clear()
        store.write(emit)
        assert others.wait(30)
        return len(seen) == before

    until(unheard, what="the last wake that was on its way")


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
