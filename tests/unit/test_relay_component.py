"""The relay's thread on a sink such as a plugin may bring: one that fails in every way."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from zdriver.core.engines import Address
from zdriver.core.errors import Unavailable
from zdriver.events import trying
from zdriver.events.relay import component
from zdriver.events.relay.book import Book, Refusal
from zdriver.events.relay.component import Relay
from zdriver.events.sinks import Lost, Outcome, Outgoing, SinkState
from zdriver.storage.port import Event, Transaction
from zdriver.storage.sqlite import SqliteStore
from zdriver.testing import until

WHERE = Address(setting="events.url", scheme="list", url="list://ann:geheim@here")


class ListSink:
    """Keeps what it gets. `mishaps` are used up one by one, at the beginning of an open or a send."""

    def __init__(self) -> None:
        self.got: list[int] = []
        self.opens: list[Exception] = []
        self.sends: list[Exception | Outcome] = []
        self.opened = self.closed = 0
        self.lost: Lost = lambda _why: None
        self.slow = ""

    def open(self, lost: Lost) -> None:
        if self.opens:
            raise self.opens.pop(0)
        self.lost = lost
        self.opened += 1

    def send(self, events: Sequence[Outgoing]) -> Outcome:
        if self.sends:
            mishap = self.sends.pop(0)
            if isinstance(mishap, Exception):
                raise mishap
            self.got += mishap.accepted
            return mishap
        self.got += [event.sequence for event in events]
        return Outcome(accepted=tuple(event.sequence for event in events))

    def close(self) -> None:
        self.closed += 1

    def abort(self) -> None:
        """Nothing of it is ever on its way."""

    def state(self) -> SinkState:
        return SinkState(version="1.0", latency_ms=0.1, slow=self.slow)


class FullBook(Book):
    """Its store cannot be written to, so many times."""

    fails = 0

    def settle(self, accepted: Sequence[int], refused: Sequence[Refusal]) -> None:
        if accepted and self.fails:
            self.fails -= 1
            raise Unavailable("the disk is full")
        super().settle(accepted, refused)


class Stage:
    def __init__(self, store: SqliteStore) -> None:
        self.book = FullBook(store, "list")
        self.sink = ListSink()
        self.relay = Relay(self.book, self.sink, WHERE, chance=lambda: 0.0)

    def emit(self, count: int = 1) -> None:
        def unit(tx: Transaction) -> None:
            for number in range(count):
                tx.emit(Event(type="intent.set", aggregate=f"context:{number}", payload={"id": "x"}))

        self.book.store.write(unit)

    def until(self, condition: Callable[[], bool], what: str = "it") -> None:
        until(condition, what=what, deadline=20)

    def drained(self) -> None:
        self.until(lambda: self.book.lag() == 0, "the end of the backlog")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with SqliteStore(tmp_path / "store.db", sinks=("list",), reserve=0) as store:
        made = Stage(store)
        yield made
        made.relay.stop()
    assert not [each for each in threading.enumerate() if each.name == "relay-list"]


def test_a_store_that_cannot_be_written_to_makes_nothing_go_twice(stage: Stage) -> None:
    stage.book.fails = 2
    stage.emit(5)
    stage.relay.start()
    stage.until(lambda: stage.book.fails == 0, "the second failure")
    stage.emit(5)
    stage.drained()
    assert stage.sink.got == list(range(1, 11))


def test_a_sink_that_cannot_be_opened_is_tried_again_and_says_why(stage: Stage) -> None:
    stage.sink.opens = [Unavailable("events.url: nothing listens there"), ValueError("a defect"), OSError()]
    stage.emit(3)
    assert stage.relay.health().state == "down"
    stage.relay.start()
    stage.drained()
    assert stage.sink.got == [1, 2, 3]
    stage.until(lambda: stage.relay.health().lag == 0)
    health = stage.relay.health()
    assert health.state == "ok"
    assert (health.engine, health.role, health.lag, health.version) == ("list", "events", 0, "1.0")
    assert "geheim" not in repr(health)
    stage.sink.slow = "it takes its time"
    assert stage.relay.health().state == "slow"
    assert stage.relay.health().message == "events.url: it takes its time"


def test_what_comes_too_soon_after_a_count_is_counted_at_the_next(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else `daemon status` says for as long as the broker is not tried again that less is waiting."""
    monkeypatch.setattr(component, "COUNT", 3600.0)
    stage.sink.opens = [Unavailable("events.url: away")] * 1000
    stage.relay.start()
    stage.until(lambda: stage.relay.health().lag == 0, "the first count")
    stage.emit(3)
    left = len(stage.sink.opens)
    stage.until(lambda: len(stage.sink.opens) < left - 1, "two more attempts")
    assert stage.relay._news.is_set()


def test_what_was_accepted_before_it_broke_is_not_sent_again(stage: Stage) -> None:
    stage.sink.sends = [Outcome(accepted=(1, 3), broken="events.url: lost"), ValueError("a defect")]
    stage.emit(4)
    stage.relay.start()
    stage.drained()
    assert sorted(stage.sink.got) == [1, 2, 3, 4]


def test_a_connection_that_is_lost_while_nothing_is_sent_is_opened_again(stage: Stage) -> None:
    stage.relay.start()
    stage.until(lambda: stage.relay.health().state == "ok")
    stage.sink.opens = [Unavailable("events.url: still away")] * 3
    stage.sink.lost("events.url: gone")
    stage.until(lambda: stage.sink.opened == 2, "the next connection")
    stage.emit()
    stage.drained()
    assert stage.sink.got == [1]
    assert stage.sink.opens == []


class Unsteady:
    """A leader whose server answers once, and then never again."""

    def __init__(self) -> None:
        self.asked = 0

    def lead(self) -> bool:
        self.asked += 1
        if self.asked > 1:
            raise Unavailable("storage.url: the connection was lost")
        return True

    def release(self) -> None:
        """It has nothing: nobody else wants to lead."""


def test_whatever_fails_it_is_waited_before_the_next_attempt(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "FIRST", 3600.0)
    monkeypatch.setattr(trying, "MOST", 3600.0)
    leader = Unsteady()
    stage.relay = Relay(stage.book, stage.sink, WHERE, leader=leader)
    stage.relay.start()
    stage.until(lambda: stage.relay.health().message.startswith("storage.url"))
    stage.emit()
    stage.until(lambda: stage.relay.pending == 1, "the count while it waits")
    assert (stage.sink.opened, leader.asked) == (1, 2)
    stage.relay.again()  # somebody asks for it: at once
    stage.until(lambda: leader.asked > 2)


def test_it_can_be_ended_before_it_began_and_while_it_waits(stage: Stage) -> None:
    stage.sink.opens = [Unavailable("events.url: away")] * 1000
    stage.emit()
    stage.relay.start()
    stage.until(lambda: stage.relay.pending == 1, "the first failure")
    stage.relay.stop()
    other = Relay(stage.book, stage.sink, WHERE)
    other.stop()
    assert stage.sink.got == []
