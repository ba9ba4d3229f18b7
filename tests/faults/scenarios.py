"""What goes wrong. Each is done while the load runs, and is mended before its function returns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import NamedTuple

import redis

from tests.faults.load import Load
from tests.faults.trial import Trial, Trouble
from zdriver.testing import until
from zdriver.testing.servers import Server

#: Seconds that something stays away, and from one reset to the next.
OUTAGE = 1.0
HANG = 6.0
RESETS = 1.0
#: How far the load goes on beyond the share at which the next fault is due, while that does not come.
AHEAD = 0.15
#: Only a claim or a release that is its own transaction sends it (`storage/postgres/calling.py`).
CLAIMS = b'"event_id":""'


class Scenario(NamedTuple):
    title: str
    trouble: Trouble
    share: float = 0.05  #: of the operations: less where each takes long
    engines: tuple[str, ...] = ("postgresql",)


def _lasts(seconds: float) -> None:
    """Nothing is waited for: so long is the fault."""
    time.sleep(seconds)


def _at(load: Load, *shares: float) -> Iterator[int]:
    """The number of each share as it is reached; the load waits for a fault, however late that comes."""
    for number, share in enumerate(shares):
        load.let(min(1, share + AHEAD))
        if not load.reached(share):
            return
        # During the fault it goes on, to the next one.
        load.let(min(1, shares[number + 1] + AHEAD) if number + 1 < len(shares) else 1)
        yield number


def _nothing(trial: Trial, load: Load) -> None:
    load.let(1)
    load.reached(1)
    trial.happened()


def _kill(server: Server, *, outage: float = OUTAGE) -> None:
    server.kill()
    _lasts(outage)
    server.start()


def _of(name: str, *shares: float, outage: float = OUTAGE) -> Trouble:
    """SIGKILL for one engine, at these shares of the operations."""

    def trouble(trial: Trial, load: Load) -> None:
        for _ in _at(load, *shares):
            _kill(getattr(trial.servers, name), outage=outage)
            trial.happened("killed")

    return trouble


def _one_host(trial: Trial, number: int) -> None:
    """Its daemon, and what else of zdriver runs there."""
    host = trial.hosts[number % len(trial.hosts)]
    host.kill()
    host.start()
    trial.audit()


def _daemon(trial: Trial, load: Load) -> None:
    for number in _at(load, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85):
        _one_host(trial, number)
        trial.happened("killed")


def _everything(trial: Trial) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda each: each.kill(), [*trial.servers.all(), *trial.hosts]))
        list(pool.map(lambda each: each.start(), trial.servers.all()))
        list(pool.map(lambda each: each.start(), trial.hosts))
    trial.audit()


def _together(trial: Trial, load: Load) -> None:
    for _ in _at(load, 0.25, 0.65):
        _everything(trial)
        trial.happened("killed")


def _in_turn(trial: Trial, load: Load) -> None:
    """Each by itself, then all at once; and all of that again."""
    servers = trial.servers
    kills: list[Callable[[], None]] = [
        lambda: _kill(servers.postgres),
        lambda: _kill(servers.redis),
        lambda: _kill(servers.rabbitmq, outage=0),
        lambda: _one_host(trial, 0),
        lambda: _one_host(trial, 1),
        lambda: _everything(trial),
    ] * 2
    for number in _at(load, *((each + 1) / (len(kills) + 1) for each in range(len(kills)))):
        kills[number]()
        trial.happened("killed")


def _hang(name: str) -> Trouble:
    def trouble(trial: Trial, load: Load) -> None:
        proxy = getattr(trial, name)
        for _ in _at(load, 0.2, 0.6):
            proxy.hang()
            _lasts(HANG)
            proxy.resume()
            trial.happened("hung")

    return trouble


def _slow(trial: Trial, load: Load) -> None:
    proxies = (trial.postgres, trial.redis, trial.rabbitmq)
    for _ in _at(load, 0.1):
        for proxy in proxies:
            proxy.latency(250)  # each way
        trial.happened()
    load.reached(0.9)
    for proxy in proxies:
        proxy.latency(0)
    load.reached(1)


def _lost_answers(trial: Trial, load: Load) -> None:
    """The connection is reset after PostgreSQL got COMMIT, or a claim, and before the client hears of it."""

    def over() -> bool:
        return not (load.running and trial.postgres.armed)

    sent = cycle((b"COMMIT", CLAIMS))
    load.let(1)
    while load.running:
        trial.postgres.lose_answer(next(sent))
        until(over, what="a COMMIT or a claim", deadline=300, every=0.01)
        if not trial.postgres.armed:
            trial.happened("done")
            _lasts(0.1)  # what was reset connects again
    trial.postgres.lose_answer(b"", times=0)


def _resets(trial: Trial, load: Load) -> None:
    load.let(1)
    while load.running:
        for proxy in (trial.postgres, trial.redis, trial.rabbitmq):
            proxy.reset()
        trial.happened("reset")
        _lasts(RESETS)


def _alarm(trial: Trial, load: Load) -> None:
    for _ in _at(load, 0.2):
        trial.servers.rabbitmq.alarm(True)
        try:
            load.reached(0.95)
            trial.happened("commands went on while nothing could be published")
        finally:
            trial.servers.rabbitmq.alarm(False)
    load.reached(1)


def _flushed(trial: Trial, load: Load) -> None:
    load.let(1)
    for share in (0.3, 0.6, 1):
        load.reached(share)
        with redis.Redis.from_url(trial.servers.redis.url) as client:
            client.flushall()
        trial.happened("flushed")


def _clock(trial: Trial, load: Load) -> None:
    """One host's, an hour back, then half a day ahead, then right again."""
    steps = ((0.2, -1), (0.5, 12), (0.8, 0))
    for number in _at(load, *(share for share, _ in steps)):
        hours = steps[number][1]
        trial.clock.set(hours * 3600)
        if trial.engine == "postgresql":  # the daemon compares the two clocks, and says so
            trial.happened(f"its daemon saw {_skew(trial, hours) / 3600:+.1f} h")
        else:
            trial.happened("set")
    load.reached(1)


def _skew(trial: Trial, hours: int) -> float:
    """Seconds that the first host's clock is ahead of PostgreSQL's, as its daemon says."""

    def seen() -> list[float]:
        engines = client.call("daemon.status")["engines"]
        skews = [-each["skew_ms"] / 1000 for each in engines if each["role"] == "storage"]
        return [skew for skew in skews if abs(skew - hours * 3600) < 60]

    client = trial.hosts[0].client()
    try:
        return until(seen, what="the daemon to see it", deadline=30)[0]
    finally:
        client.close()


BOTH = ("postgresql", "sqlite")
SCENARIOS: dict[str, Scenario] = {
    "nothing": Scenario("nothing", _nothing, engines=BOTH),
    "in-turn": Scenario(
        "PostgreSQL, Redis, RabbitMQ, each daemon, all of them: killed in turn", _in_turn, 1.0
    ),
    "postgresql": Scenario("PostgreSQL killed", _of("postgres", 0.15, 0.4, 0.6, 0.85)),
    "redis": Scenario("Redis killed", _of("redis", 0.15, 0.4, 0.6, 0.85)),
    "rabbitmq": Scenario("RabbitMQ killed", _of("rabbitmq", 0.1, 0.5, outage=0), engines=BOTH),
    "daemon": Scenario("the daemons killed, one at a time", _daemon, engines=BOTH),
    "together": Scenario("all of them killed at once", _together, engines=BOTH),
    "postgresql-hangs": Scenario("PostgreSQL hangs for 6 s", _hang("postgres")),
    "redis-hangs": Scenario("Redis hangs for 6 s", _hang("redis")),
    "rabbitmq-hangs": Scenario("RabbitMQ hangs for 6 s", _hang("rabbitmq")),
    "slow": Scenario("every answer of an engine takes 500 ms longer", _slow, 0.01),
    "commit": Scenario("reset after COMMIT was sent, before its answer", _lost_answers),
    "resets": Scenario("all connections reset once a second", _resets, 0.02),
    "alarm": Scenario("RabbitMQ's memory alarm: publishers blocked", _alarm),
    "flushed": Scenario("Redis flushed", _flushed),
    "clock": Scenario("one host's clock an hour back, then 12 hours ahead", _clock, engines=BOTH),
}


def run(trial: Trial, name: str, operations: int) -> tuple[Load, float]:
    """Load and trouble together; seconds until every operation had its answer."""
    scenario = SCENARIOS[name]
    load = Load(trial.hosts, operations=max(1, round(operations * scenario.share)))
    begun = time.monotonic()
    load.start()
    trouble = threading.Thread(target=_noted, args=(scenario.trouble, trial, load), daemon=True)
    trouble.start()
    load.join()
    seconds = time.monotonic() - begun
    trouble.join()
    if not trial.faults and not trial.broken:
        trial.broken.append("the load was over before the fault came")
    return load, seconds


def _noted(trouble: Trouble, trial: Trial, load: Load) -> None:
    try:
        trouble(trial, load)
    except Exception as error:  # whatever it is: the load goes on, and the result says it
        trial.broken.append(f"the fault itself went wrong: {type(error).__name__}: {error}")
    finally:
        load.let(1)


def summary(notes: Sequence[str]) -> list[str]:
    """The same note many times, once with a number."""
    return [
        f"{note} {times} times" if (times := notes.count(note)) > 1 else note for note in dict.fromkeys(notes)
    ]
