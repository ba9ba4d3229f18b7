"""The broker dies, hangs, is full, or is behind a bad network: nothing is lost, and nobody waits for it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.integration.events.publishing import Publishing, Reader, embedded, in_order
from zdriver.core.errors import ZdriverError
from zdriver.events.relay import session
from zdriver.testing import until
from zdriver.testing.servers import Proxy, RabbitMq, scratch

_numbers = count(1)


@pytest.fixture(scope="module")
def broker() -> Iterator[RabbitMq]:
    """One that these tests may kill; each leaves it running."""
    with scratch("mq") as folder, RabbitMq(folder) as server:
        yield server


@pytest.fixture
def url(broker: RabbitMq) -> Iterator[str]:
    name = f"faults-{next(_numbers)}"
    yield broker.vhost(name)
    broker.delete_vhost(name)


@pytest.fixture
def publishing(tmp_path: Path, url: str) -> Iterator[Publishing]:
    made = Publishing(embedded(tmp_path), url)
    yield made
    made.close()


class Load:
    """Commands that go on all the time; none of them may fail."""

    def __init__(self, publishing: Publishing) -> None:
        self._publishing = publishing
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.written = 0
        self.failed: list[ZdriverError] = []
        self._thread.start()

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                self._publishing.emit(5, aggregates=20)
                self.written += 5
            except ZdriverError as error:
                self.failed.append(error)
            self._end.wait(0.005)

    def reach(self, more: int) -> None:
        """Wait until so many more were written."""
        until_written = self.written + more
        until(lambda: self.written >= until_written, what=f"{more} more events", deadline=180)

    def stop(self) -> int:
        self._end.set()
        self._thread.join()
        assert self.failed == []
        return self.written


def everything_arrived(publishing: Publishing, reader: Reader, written: int) -> int:
    """Each at least once, in order; how many arrived again."""
    publishing.drained(deadline=180)
    got = reader.take()
    assert {each.number for each in got} == set(range(written))
    assert in_order(got)
    return len(got) - written


def test_a_broker_that_is_killed(publishing: Publishing, broker: RabbitMq, url: str) -> None:
    reader = Reader(url)
    broker.flush()
    relay = publishing.relay()
    load = Load(publishing)
    load.reach(200)
    broker.kill()
    load.reach(200)  # commands go on
    until(lambda: relay.health().state == "down", what="the loss to be noticed")
    assert relay.health().message.startswith("events.url: ")
    assert relay.health().since is not None
    broker.start()
    until(lambda: relay.health().state == "ok", what="the connection", deadline=180)
    written = load.stop()
    everything_arrived(publishing, reader, written)


def test_a_broker_that_hangs_is_noticed_by_its_heartbeats(
    publishing: Publishing, broker: RabbitMq, url: str
) -> None:
    reader = Reader(url)
    relay = publishing.relay(url=f"{url}?heartbeat=1")
    load = Load(publishing)
    load.reach(50)
    broker.suspend()
    load.reach(200)
    until(lambda: relay.health().state == "down", what="the silence to be noticed", deadline=180)
    broker.resume()
    load.reach(50)
    everything_arrived(publishing, reader, load.stop())


def test_a_broker_without_memory_blocks_nobody_but_the_relay(
    publishing: Publishing, broker: RabbitMq, url: str
) -> None:
    reader = Reader(url)
    relay = publishing.relay()
    load = Load(publishing)
    load.reach(50)
    broker.alarm(True)
    try:
        until(lambda: "the broker takes nothing now" in relay.health().message, what="the alarm")
        assert relay.health().state == "slow"
        load.reach(200)
    finally:
        broker.alarm(False)
    written = load.stop()
    doubled = everything_arrived(publishing, reader, written)
    assert doubled == 0  # it is the same connection
    assert relay.health().state == "ok"


def test_a_network_that_hangs_dawdles_and_resets(publishing: Publishing, url: str) -> None:
    reader = Reader(url)
    with Proxy(url) as proxy:
        relay = publishing.relay(url=f"{proxy.url}?heartbeat=1")
        load = Load(publishing)
        load.reach(50)
        proxy.reset()
        load.reach(50)
        proxy.latency(200)
        load.reach(100)
        proxy.latency(0)
        proxy.hang()
        until(lambda: relay.health().state == "down", what="the silence to be noticed", deadline=180)
        load.reach(50)
        proxy.resume()
        everything_arrived(publishing, reader, load.stop())


def test_the_end_of_the_daemon_does_not_wait_for_a_broker_that_hangs(
    publishing: Publishing, broker: RabbitMq, url: str
) -> None:
    reader = Reader(url)
    publishing.relay()
    publishing.emit(50)
    publishing.drained()
    broker.suspend()
    try:
        publishing.emit(50)
        ending = threading.Thread(target=publishing.relays.pop().stop)
        ending.start()
        # while it is suspended: heartbeats would end it, too, but later
        until(lambda: not ending.is_alive(), what="the end", deadline=20)
    finally:
        broker.resume()
    publishing.relay()
    everything_arrived(publishing, reader, 100)


def test_the_end_of_the_daemon_does_not_wait_for_somebody_who_says_nothing(publishing: Publishing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        relay = publishing.relay(url=f"amqp://127.0.0.1:{silent.getsockname()[1]}?connect_timeout=100")
        client, _ = silent.accept()
        with client:
            assert client.recv(100).startswith(b"AMQP")
            relay.stop()
            assert client.recv(100) == b""
    assert not [each for each in threading.enumerate() if each.name.startswith(("relay", "rabbitmq"))]


def test_an_end_in_the_middle_lets_arrive_what_is_on_its_way(
    publishing: Publishing, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "GOODBYE", 60.0)  # however busy the machine is: the broker answers
    reader = Reader(url)
    publishing.emit(3000, aggregates=300)
    for _ in range(3):
        publishing.relay()
        until(lambda: reader.ready() > 0, what="the first ones")
        publishing.relays.pop().stop()
    publishing.relay()
    publishing.drained()
    assert sorted(each.number for each in reader.take()) == list(range(3000))


def test_what_was_confirmed_is_not_sent_again_by_the_next_process(publishing: Publishing, url: str) -> None:
    reader = Reader(url)
    publishing.emit(100)
    for _ in range(3):
        publishing.relay()
        publishing.emit(100)
        publishing.drained()
        publishing.relays.pop().stop()
    assert sorted(each.number for each in reader.take()) == list(range(400))
