"""One scenario: fresh databases, hosts and queues on the same servers; load, trouble, quiet, counting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from subprocess import Popen

import redis

from tests.faults import readers
from tests.faults.clocks import WallClock
from tests.faults.counting import Result, count, disordered, held_twice, marks, repeated
from tests.faults.hosts import Failed, Host
from tests.faults.load import Load
from zdriver.testing import TimedOut, until
from zdriver.testing.servers import PostgreSql, Proxy, RabbitMq, Redis, scratch

#: Seconds without any progress after which what is not there counts as lost.
STANDSTILL = 30.0


class Servers:
    """The three engines; started once, they serve all scenarios."""

    def __init__(self, folder: Path) -> None:
        # durable, as a real one is
        self.postgres = PostgreSql(folder / "pg", options={"max_connections": "200"})
        self.redis = Redis(folder / "redis")
        self.rabbitmq = RabbitMq(folder / "mq")

    def all(self) -> tuple[PostgreSql, Redis, RabbitMq]:
        return self.postgres, self.redis, self.rabbitmq


@contextmanager
def servers() -> Iterator[Servers]:
    with scratch("faults") as folder, ExitStack() as stack:
        made = Servers(folder)
        for server in made.all():
            stack.enter_context(server)
        yield made


class Trial:
    """What a scenario may touch.

    number   makes names of its own
    engine   "postgresql": two hosts on one store; "sqlite": one host with a store of its own
    without  parts that are switched off, of "relay" and "archive": the counts have to say so
    """

    def __init__(self, servers: Servers, number: int, *, engine: str, without: frozenset[str]) -> None:
        self.servers, self.engine, self.without = servers, engine, without
        self._stack = ExitStack()
        self._store_url = servers.postgres.database(f"store_{number}")
        self.archive_url = servers.postgres.database(f"archive_{number}")
        self.amqp_url = servers.rabbitmq.vhost(f"trial-{number}")
        with redis.Redis.from_url(servers.redis.url) as client:
            client.flushall()
        self.postgres = self._proxy(self._store_url)
        self.redis = self._proxy(servers.redis.url)
        self.rabbitmq = self._proxy(self.amqp_url)
        self.observer = readers.Observer(self.amqp_url)
        self.hosts: list[Host] = []
        self.notes: list[str] = []
        self.faults = 0  #: that were done
        self.broken: list[str] = []  #: what of the trial itself went wrong
        self._audit: Popen[bytes] | None = None
        self._clocks = self._stack.enter_context(scratch("clock"))
        self.clock = WallClock(self._clocks)  #: of the first host

    def _proxy(self, url: str) -> Proxy:
        return self._stack.enter_context(Proxy(url))

    def __enter__(self) -> Trial:
        try:
            self._begin()
        except BaseException:  # also SIGTERM: nothing that was started stays
            self.__exit__()
            raise
        return self

    def _begin(self) -> None:
        self.observer.begin()
        for number in range(2 if self.engine == "postgresql" else 1):
            host = Host("ab"[number], self._settings(), self.clock.env if number == 0 else {})
            self._stack.callback(host.remove)
            self.hosts.append(host)
            host.prepare()
        if "archive" in self.without:  # what a daemon archives when it starts is over before the load begins
            self.broken += self._archive()
        self.audit()
        if "relay" not in self.without:
            queue = "bloodbank.events.v1.audit"
            until(lambda: self.observer.has_queue(queue), what="the audit's queue", deadline=60)
        # RabbitMQ 3.10 forgets what was declared in its last two seconds: not what is tried here.
        self.servers.rabbitmq.flush()

    def _settings(self) -> dict[str, str | bool]:
        settings: dict[str, str | bool] = {"context.url": self.redis.url}
        if self.engine == "postgresql":
            settings["storage.url"] = self.postgres.url
        # also where nothing is archived: the audit is in there
        settings["archive.url"] = self.archive_url
        if "relay" not in self.without:
            settings |= {"events.url": self.rabbitmq.url, "events.audit": True}
        return settings

    def happened(self, note: str = "") -> None:
        """The fault was done, once more."""
        self.faults += 1
        if note:
            self.notes.append(note)

    def audit(self) -> None:
        """Let the audit run, if it does not."""
        if "relay" not in self.without and (self._audit is None or self._audit.poll() is not None):
            self._audit = self.hosts[0].follow("events", "audit")

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        if self._audit is not None:
            self._audit.wait()

    @property
    def store(self) -> readers.Sql:
        sqlite = readers.database_of(self.hosts[0].home.path)
        return readers.Sql(self._store_url if self.engine == "postgresql" else sqlite)

    # -- afterwards --------------------------------------------------------------------------------

    def settle(self, load: Load) -> None:
        """Wait until all that is owed came, or until nothing more comes."""
        sizes: list[Callable[[], int]] = [lambda: readers.stale(self.servers.redis.url, load.said)]
        if "relay" not in self.without:
            sizes += [self.store.owed, self._audit_owed]
        for size in sizes:
            with suppress(TimedOut):  # what is owed still is counted as lost
                _standstill(size)
        if "archive" not in self.without:
            self.notes += self._archive()

    def _audit_owed(self) -> int:
        return max(0, self.store.events() - readers.audit_size(self.archive_url))

    def _archive(self) -> list[str]:
        for host in self.hosts:
            try:
                host.run("archive")
            except Failed as error:  # what it did not archive is counted as lost
                return [f"archive: {error}"]
        return []

    def _held_twice(self, name: str) -> int:
        # SQLite's times are those of the host whose clock is moved there; the tokens' order is the store's.
        moved = self.engine == "sqlite" and name == "clock"
        return 0 if moved else held_twice(self.store.holds())

    def result(self, name: str, title: str, load: Load, seconds: float) -> Result:
        stored = self.store.stored()
        came, order_of_coming = self.observer.seen()
        audited, order_of_audit = readers.audited(self.archive_url)
        asked = load.acknowledged
        return Result(
            name=name,
            title=title,
            engine=self.engine,
            asked=load.operations,
            acknowledged=len(asked),
            refused=len(load.refused),
            unanswered=len(load.unanswered),
            repeated_calls=load.repeated,
            store=count(asked, stored.rows),
            log=count(asked, marks(stored.log)),
            broker=count(asked, marks(came)),
            sent_again=repeated(came),
            broker_disordered=disordered(order_of_coming, stored.order),
            audit=count(asked, marks(audited)),
            audit_disordered=disordered(order_of_audit, stored.order),
            archive=count(asked, marks(readers.archived(self.archive_url))),
            held_twice=self._held_twice(name),
            contexts=len(load.said),
            stale=readers.stale(self.servers.redis.url, load.said),
            seconds=seconds,
            notes=tuple(self.notes + load.unanswered[:5]),
            broken=tuple(self.broken + load.broken),
        )


def _standstill(size: Callable[[], int]) -> None:
    """Wait for 0. Raises TimedOut when it has not become less for STANDSTILL seconds."""
    least, since = size(), time.monotonic()

    def over() -> bool:
        nonlocal least, since
        now = size()
        if now < least:
            least, since = now, time.monotonic()
        return now == 0 or time.monotonic() - since > STANDSTILL

    until(over, what="what is owed", deadline=600, every=0.2)


Trouble = Callable[[Trial, Load], None]
