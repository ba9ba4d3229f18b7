"""What the hot copy in Redis costs a save, and how soon it has it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count

import redis

import zdriver
from tests.bench.measure import Turns, percentile
from tests.bench.report import Figure, misses
from tests.bench.world import World
from zdriver.context.model import Place
from zdriver.library import Driver
from zdriver.testing import Home, until
from zdriver.testing.servers import Redis, scratch

#: What issue and design allow Redis to add to a save, in bare pipelines of HSET and EXPIRE.
PIPELINES = 1.2
TEXT = "Refactor database layer"


@contextmanager
def with_redis(url: str) -> Iterator[Driver]:
    """A daemon of another home, which uses Redis; this process goes back to its own home at the end."""
    before = dict(os.environ)
    with Home() as home:
        os.environ.clear()
        os.environ.update({**home.env, "ZDRIVER_CONTEXT_URL": url})
        try:
            with zdriver.connect() as driver:
                yield driver
        finally:
            os.environ.clear()
            os.environ.update(before)


def hot(world: World) -> Iterator[Figure]:
    place, number = Place(cwd=str(world.project)), count()
    with (
        scratch("bench-redis") as folder,
        Redis(folder, aof=False) as server,  # one that waits for its disk would flatter us
        redis.Redis.from_url(server.url, decode_responses=True) as plain,
        world.daemon() as without,
        with_redis(server.url) as driver,
    ):

        def save(into: Driver) -> str:
            return into.context.set_intent(f"{TEXT} {next(number)}", place=place).context.id

        def pipeline() -> None:
            pipe = plain.pipeline(transaction=False)
            pipe.hset("bare", mapping={"intent": f"{TEXT} {next(number)}", "root": place.cwd, "version": "7"})
            pipe.expire("bare", 604_800)
            pipe.execute()

        id_ = save(driver)
        until(lambda: plain.exists(f"session:{id_}"), what="Redis is used")
        pair = Turns(lambda: save(driver), lambda: save(without))
        bare = Turns(pipeline, pipeline)
        for _ in range(20):
            pair.run(2, block=25, warm=0)
            bare.run(1, block=25, warm=0)
        (ours, alone), (tail, _) = pair.ms(), pair.ms(99)
        added = bare.ms()[0]
        limit = alone + PIPELINES * added
        yield Figure(
            what="durable save with Redis",
            unit="ms",
            ours=ours,
            tail=tail,
            limit=limit,
            against=(
                f"the same save without ({alone:.2f} ms) and 1.2 times a bare HSET and EXPIRE in one pipeline"
                f" ({added:.2f} ms)"
            ),
            target="<= 1x",
            misses=misses(sum=ours <= limit),
        )
        yield _until_it_is_there(driver, plain, place)


def _until_it_is_there(driver: Driver, plain: redis.Redis, place: Place) -> Figure:
    """From the answer on; also that what was measured did come to be there."""
    seconds = []

    def there(key: str, text: str) -> bool:
        return plain.get(key) == text

    for number in range(200):
        text = f"{TEXT}, seen {number}"
        key = f"intent:{driver.context.set_intent(text, place=place).context.id}"
        began = time.perf_counter()
        until(partial(there, key, text), what=text, every=0.0002)
        seconds.append(time.perf_counter() - began)
    return Figure(
        what="saved → read in Redis",
        unit="ms",
        ours=percentile(seconds, 50) * 1000,
        tail=percentile(seconds, 99) * 1000,
        target="-",
    )
