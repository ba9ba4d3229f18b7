"""What the relay decides: which event may be on its way, when one is tried again, and what comes next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdriver.core.errors import Ambiguous, InvalidInput, NotFound
from zdriver.events import trying
from zdriver.events.relay import failures, rules
from zdriver.events.relay.backlog import BATCH, OF_ONE, Backlog
from zdriver.events.relay.book import Book
from zdriver.events.relay.flight import Flight
from zdriver.events.sinks import Outcome, Outgoing, Refused, sink_name
from zdriver.storage.port import Event, Transaction
from zdriver.storage.sqlite import SqliteStore


def outgoing(sequence: int, aggregate: str) -> Outgoing:
    return Outgoing(
        sequence=sequence,
        id=f"id{sequence}",
        type="intent.set",
        aggregate=aggregate,
        aggregate_seq=sequence,
        at=0,
        envelope=b"{}",
    )


# ---- on the way --------------------------------------------------------------------------


@given(
    aggregates=st.lists(st.sampled_from("abcde"), min_size=1, max_size=60),
    window=st.integers(1, 8),
    choices=st.randoms(use_true_random=False),
)
def test_whatever_a_broker_answers_the_order_is_kept(
    aggregates: list[str], window: int, choices: object
) -> None:
    """A broker that confirms singly or in groups, refuses some, returns some."""
    pick = choices.random  # type: ignore[attr-defined]  # hypothesis calls it only "Random"
    events = [outgoing(place, aggregate) for place, aggregate in enumerate(aggregates)]
    flight, sent = Flight(events, window), {}
    taken: list[Outgoing] = []
    tag = 0
    while not flight.done:
        while (event := flight.next()) is not None:
            tag += 1
            flight.sent(tag, 0.0)
            sent[tag] = event
        under_way = [each for each in sent.values() if each.sequence in flight.under_way]
        assert 1 <= len(under_way) <= window
        assert len({each.aggregate for each in under_way}) == len(under_way)
        tags = [number for number, each in sent.items() if each.sequence in flight.under_way]
        multiple, answered = pick() < 0.3, tags[int(pick() * len(tags))]
        meant = [number for number in tags if number == answered or (multiple and number < answered)]
        refusal = "full" if pick() < 0.1 else ""
        returned = {number for number in meant if pick() < 0.1}
        for number in returned:
            flight.returned(sent[number].id, "nobody")
        flight.confirmed(answered, multiple=multiple, refusal=refusal)
        taken += [sent[number] for number in meant if not refusal and number not in returned]
    outcome = flight.outcome()
    assert list(outcome.accepted) == [each.sequence for each in taken]
    stopped = {event.sequence: event.aggregate for event in events}
    at = {stopped[each.sequence]: each.sequence for each in outcome.refused}
    for aggregate in set(aggregates):
        own = [event.sequence for event in events if event.aggregate == aggregate]
        arrived = [number for number in outcome.accepted if number in own]
        assert arrived == [number for number in own if number < at.get(aggregate, len(events))]


def test_what_cannot_even_be_sent_is_refused_for_ever() -> None:
    flight = Flight([outgoing(1, "a"), outgoing(2, "a"), outgoing(3, "b")], 10)
    flight.refuse("no such key")
    flight.sent(1, 0.0)
    flight.confirmed(1, multiple=False)
    assert flight.outcome() == Outcome(
        accepted=(3,), refused=(Refused(sequence=1, error="no such key", never=True),)
    )


def test_one_that_is_halted_lets_arrive_what_is_on_its_way() -> None:
    flight = Flight([outgoing(1, "a"), outgoing(2, "b"), outgoing(3, "a")], 1)
    flight.sent(1, 0.0)
    flight.halt()
    assert not flight.done
    flight.confirmed(1, multiple=False)
    assert flight.next() is None
    assert flight.done
    assert flight.outcome() == Outcome(accepted=(1,))


def test_answers_to_nothing_are_left_alone() -> None:
    flight = Flight([outgoing(1, "a")], 10)
    assert flight.confirmed(7, multiple=False) is None
    assert flight.confirmed(7, multiple=True) is None
    assert not flight.done


# ---- again, or never ---------------------------------------------------------------------


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_waits_grow_and_have_an_end(failures: int, chance: float) -> None:
    wait = trying.backoff(failures, chance, first=0.2, most=30.0)
    whole = min(0.2 * 2 ** min(failures - 1, 30), 30.0)
    assert whole / 2 <= wait <= whole


def test_an_event_is_given_up_when_it_alone_is_refused() -> None:
    refused = Refused(sequence=1, error="full")

    def due(attempts: int, *, others: bool) -> int:
        return rules.next_at(refused, attempts, others=others, now=1_000_000, chance=1.0)

    assert due(1, others=True) == 1_500_000
    assert due(rules.ATTEMPTS - 1, others=True) == 1_000_000 + 300_000_000
    assert due(rules.ATTEMPTS, others=True) == rules.NEVER
    assert due(10 * rules.ATTEMPTS, others=False) == 301_000_000  # it is the sink that takes nothing
    hopeless = Refused(sequence=1, error="too large", never=True)
    assert rules.next_at(hopeless, 1, others=False, now=0, chance=0.0) == rules.NEVER


def test_a_sink_is_called_as_its_scheme_but_for_rabbitmq() -> None:
    assert [sink_name(scheme) for scheme in ("amqp", "amqps", "nats")] == ["rabbitmq", "rabbitmq", "nats"]


# ---- what comes next ---------------------------------------------------------------------

NOW = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(tmp_path: Path, clock: Clock) -> Iterator[Book]:
    with SqliteStore(tmp_path / "store.db", clock=clock, sinks=("s",), reserve=0) as store:
        yield Book(store, "s")


def emit(book: Book, *aggregates: str) -> None:
    def unit(tx: Transaction) -> None:
        for aggregate in aggregates:
            tx.emit(Event(type="intent.set", aggregate=aggregate, payload={"id": "x"}))

    book.store.write(unit)


def settle(
    book: Book, backlog: Backlog, batch: Sequence[Outgoing], *refused: int, never: bool = False
) -> list[int]:
    """What is behind a refused one of its aggregate is not sent, the rest arrives."""
    stopped: dict[str, int] = {each.aggregate: each.sequence for each in batch if each.sequence in refused}
    arrived = [each for each in batch if each.sequence < stopped.get(each.aggregate, 2**62)]
    outcome = Outcome(
        accepted=tuple(each.sequence for each in arrived),
        refused=tuple(Refused(sequence=number, error="no", never=never) for number in refused),
    )
    book.settle(outcome.accepted, backlog.settled(batch, outcome, 1.0))
    return list(outcome.accepted)


def numbers(batch: Sequence[Outgoing]) -> list[int]:
    return [each.sequence for each in batch]


def test_a_refused_event_holds_back_its_aggregate_until_it_is_due(book: Book, clock: Clock) -> None:
    backlog = Backlog(book)
    emit(book, "a", "a", "b", "a")
    batch = backlog.next()
    assert numbers(batch) == [1, 2, 3, 4]
    assert settle(book, backlog, batch, 1) == [3]
    emit(book, "a", "b")
    batch = backlog.next()
    assert numbers(batch) == [6]
    settle(book, backlog, batch)
    assert backlog.next() == []
    assert backlog.wait() == 0.5
    clock.now += 500_000
    batch = backlog.next()
    assert numbers(batch) == [1, 2, 4, 5]
    assert batch[0].attempts == 1
    settle(book, backlog, batch)
    assert backlog.next() == []
    assert (backlog.wait(), book.lag()) == (None, 0)


def test_the_next_process_goes_on_where_this_one_ended(book: Book, clock: Clock) -> None:
    first = Backlog(book)
    emit(book, "a", "a", "b")
    settle(book, first, first.next(), 1)
    again = Backlog(book)
    again.reset()
    assert again.next() == []
    clock.now += 500_000
    assert numbers(again.next()) == [1, 2]


def test_what_is_set_aside_holds_back_nobody_and_can_be_tried_again(book: Book) -> None:
    backlog = Backlog(book)
    emit(book, "a", "a", "b")
    batch = backlog.next()
    assert settle(book, backlog, batch, 1, never=True) == [3]
    batch = backlog.next()
    assert numbers(batch) == [2]
    settle(book, backlog, batch)
    assert backlog.next() == []
    assert book.lag() == 0
    (failed,) = failures.failed(book.store)
    assert (failed.cursor, failed.error, failed.attempts, failed.next_at) == (1, "no", 1, None)
    assert failures.retry(book.store, [failed.id[:12]]) == 1
    backlog.reset()
    assert numbers(backlog.next()) == [1]


def test_an_event_is_set_aside_only_while_others_get_through(book: Book, clock: Clock) -> None:
    backlog = Backlog(book)
    emit(book, "a")
    for _ in range(rules.ATTEMPTS + 3):
        settle(book, backlog, backlog.next(), 1)
        clock.now += 400_000_000
    assert failures.failed(book.store)[0].next_at is not None
    emit(book, "b")
    settle(book, backlog, backlog.next(), 1)  # 2 gets through with it
    assert failures.failed(book.store)[0].next_at is None


def test_however_many_there_are_each_comes_once_and_in_order(book: Book) -> None:
    """One aggregate has far more than the others: it does not hold them up."""
    for _ in range(4):
        emit(book, *["a"] * (2 * OF_ONE), "b", "c")
    backlog, seen = Backlog(book), list[Outgoing]()
    while batch := backlog.next():
        assert len(batch) <= BATCH + OF_ONE
        settle(book, backlog, batch)
        seen += batch
    assert len(numbers(seen)) == len(set(numbers(seen))) == 4 * (2 * OF_ONE + 2)
    for aggregate in "abc":
        own = [each.aggregate_seq for each in seen if each.aggregate == aggregate]
        assert own == list(range(1, len(own) + 1))


def test_all_means_also_those_that_no_list_has_room_for(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    backlog = Backlog(book)
    emit(book, "a", "b", "c")
    settle(book, backlog, backlog.next(), 1, 2, 3, never=True)
    monkeypatch.setattr(failures, "MOST", 1)
    assert len(failures.failed(book.store)) == 1
    assert failures.retry(book.store, [], everything=True) == 3
    assert failures.failed(book.store) == ()


def test_what_is_to_be_tried_again_must_be_named(book: Book) -> None:
    backlog = Backlog(book)
    emit(book, "a", "b")
    settle(book, backlog, backlog.next(), 1, 2, never=True)
    one, two = failures.failed(book.store)
    with pytest.raises(InvalidInput):
        failures.retry(book.store, [])
    with pytest.raises(InvalidInput):
        failures.retry(book.store, ["1"], everything=True)
    with pytest.raises(NotFound):
        failures.retry(book.store, ["1", "3"])
    assert one.id[:4] == two.id[:4]
    with pytest.raises(Ambiguous):
        failures.retry(book.store, [one.id[:4]])
    assert all(each.next_at is None for each in failures.failed(book.store))
    assert failures.retry(book.store, ["1", one.id, one.id]) == 1
    assert [each.cursor for each in failures.failed(book.store)] == [2]
    assert failures.retry(book.store, [], everything=True) == 1
    assert failures.failed(book.store) == ()
