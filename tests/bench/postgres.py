"""The figures of claims on PostgreSQL: one claim beside its bare statement, five daemons beside one."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import psycopg

import zdriver
from tests.bench.measure import percentile, timed
from tests.bench.report import Figure, misses
from tests.bench.world import World
from tests.contract.claiming import make_worktrees
from tests.integration.hosts.machines import Machine, Machines, machines
from zdriver.claims.service import ClaimsService
from zdriver.core.clock import now_us
from zdriver.core.engines import Address
from zdriver.core.ids import new_id
from zdriver.storage.postgres.compiling import statement
from zdriver.storage.postgres.store import PostgresStore
from zdriver.testing.servers import PostgreSql, scratch
from zdriver.worktrees.model import Repo, Worktree

DAEMONS, CLIENTS, EACH = 5, 20, 40
LEASE = 60_000_000


def postgres(world: World) -> Iterator[Figure]:
    with scratch("pg") as folder, PostgreSql(folder) as server:
        yield from _claim(server)
    yield _daemons(world)


def _claim(server: PostgreSql) -> Iterator[Figure]:
    """In turns, on worktrees that nobody holds: what is measured is the way to a claim that is durable."""
    url = server.database("bench")
    with PostgresStore(Address(setting="storage.url", scheme="postgresql", url=url)) as store:
        known = make_worktrees(store, "feat-a", "feat-b", "feat-c")

        def find(name: str = "", cwd: str = "") -> tuple[Repo, Worktree]:
            return known[name]

        claims = ClaimsService(store, find, host="h")
        whole, alone = _Bare(url, known["feat-b"][1].id), _Bare(url, known["feat-c"][1].id)
        ours: list[float] = []
        same: list[float] = []
        one: list[float] = []
        for number in range(260):
            agent = f"human:{number}"
            took = timed(partial(claims.claim, "feat-a", agent=agent, cwd="/"))
            seconds = (took, timed(whole.claim), timed(alone.take))
            if number >= 10:
                for each, kept in zip(seconds, (ours, same, one), strict=True):
                    kept.append(each * 1000)
            claims.release("feat-a", agent=agent, cwd="/")
            whole.release()
            alone.release()
    taken, limit, least = percentile(ours, 50), percentile(same, 50), percentile(one, 50)
    yield Figure(
        what="claim on PostgreSQL, to know",
        unit="ms",
        ours=taken,
        tail=percentile(ours, 99),
        limit=limit,
        against="its statements and its event bare by psycopg, prepared, in one transaction",
    )
    yield Figure(
        what="claim on PostgreSQL",
        unit="ms",
        ours=taken,
        tail=percentile(ours, 99),
        limit=least,
        against="the one statement that decides it, without its event, its token's row or a look before",
        target="<= 1.3x",
        misses=misses(ratio=taken <= 1.3 * least),
    )


class _Bare:
    """What a claim is in SQL, by a program that does nothing else."""

    def __init__(self, url: str, worktree: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self._worktree = worktree
        self._id = ""
        self._sequence = 0

    def claim(self) -> None:
        """Looked at, taken, its token and its event kept: durable at the end."""
        self._run("claim.current", worktree_id=self._worktree, now=now_us())
        with self.connection.transaction():
            self._run("claim.current", worktree_id=self._worktree, now=now_us())
            token = self.take()
            self._run("claim.fence", worktree_id=self._worktree, token=token)
            self._said("worktree.claimed")

    def take(self) -> int:
        self._id = new_id()
        given = {"id": self._id, "worktree_id": self._worktree, "agent": "bench", "host": "h", "pid": None}
        rows = self._run("claim.take", **given, session="", lease=LEASE, now=now_us(), seq=2**62)
        token: int = rows[0][0]
        return token

    def release(self) -> None:
        self.connection.execute(b"DELETE FROM claims WHERE id = %s", (self._id,))

    def _said(self, type_: str) -> None:
        # Far above those of the store, and growing: the log takes no event before an older one.
        self._sequence += 1
        event = {"ids": [new_id()], "types": [type_], "aggregates": [f"worktree:{self._worktree}"]}
        more = {"subjects": [""], "ats": [now_us()], "envelopes": [b"x" * 600], "sinks": [""][1:]}
        self._run("event.append", **event, **more, first=2**60 + self._sequence)

    def _run(self, name: str, **params: Any) -> list[Any]:
        cursor = self.connection.execute(statement(name), params, prepare=True)
        return cursor.fetchall() if cursor.description else []


def _daemons(world: World) -> Figure:
    """20 agents, each with a worktree of its own: all at one daemon, and four at each of five."""
    origin = world.home.path / "origin.git"
    work = world.home.path / "work"
    for words in (
        ("init", "-q", "--bare", "-b", "main", str(origin)),
        ("init", "-q", "-b", "main", str(work)),
        ("-C", str(work), "commit", "-q", "--allow-empty", "-m", "one"),
        ("-C", str(work), "push", "-q", str(origin), "main"),
    ):
        subprocess.run(["git", *words], env=world.home.env, check=True)
    with machines(DAEMONS) as made:
        for number in range(DAEMONS):
            machine = made.add(origin)
            for agent in range(CLIENTS if number == 0 else CLIENTS // DAEMONS):
                machine.data("feat", f"{number}x{agent}")
        alone = _rate([(made.all[0], CLIENTS)])
        spread = _rate([(machine, CLIENTS // DAEMONS) for machine in made.all])
        _check(made)
    (one, _), (rate, tail) = alone, spread
    return Figure(
        what=f"claim + release on PostgreSQL, {CLIENTS} agents at {DAEMONS} daemons",
        unit="/s",
        ours=rate,
        tail=tail,
        limit=one,
        against=f"the same {CLIENTS} agents at one daemon (p99 in ms is ours)",
    )


def _rate(at: list[tuple[Machine, int]]) -> tuple[float, float]:
    """(pairs per second, the 99th percentile of one in ms)."""
    script = "import sys; from tests.bench.postgres import hammer; hammer(*sys.argv[1:])"
    root = str(Path(__file__).parents[2])
    running = []
    for machine, clients in at:
        number = machine.name.removeprefix("host-")
        running.append(
            subprocess.Popen(
                [sys.executable, "-P", "-c", script, number, str(clients), str(EACH)],
                env={**machine.home.env, "PYTHONPATH": root},
                cwd=machine.project,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
    for process in running:  # all are connected before any begins
        assert process.stdout is not None
        process.stdout.readline()
    spans = [json.loads(process.communicate("go\n", timeout=300)[0]) for process in running]
    seconds = [second for span in spans for second in span["seconds"]]
    whole = max(span["end"] for span in spans) - min(span["began"] for span in spans)
    return len(seconds) / whole, percentile(seconds, 99) * 1000


def hammer(number: str, clients: str, each: str) -> None:
    """Threads with a connection and a worktree of its own each; prints their times as JSON."""
    seconds: list[float] = []
    barrier = threading.Barrier(int(clients) + 1)
    folder = str(Path.cwd())

    def client(agent: str) -> None:
        with zdriver.connect(start=False) as driver:

            def pair() -> None:
                driver.claims.claim(f"feat-{number}x{agent}", agent=f"{number}x{agent}", cwd=folder)
                driver.claims.release(f"feat-{number}x{agent}", agent=f"{number}x{agent}", cwd=folder)

            pair()
            barrier.wait()
            barrier.wait()
            for _ in range(int(each)):
                seconds.append(timed(pair))

    threads = [threading.Thread(target=client, args=(str(agent),)) for agent in range(int(clients))]
    for thread in threads:
        thread.start()
    barrier.wait()
    print(flush=True)
    sys.stdin.readline()
    barrier.wait()
    began = time.time()
    for thread in threads:
        thread.join()
    sys.stdout.write(msgspec.json.encode({"seconds": seconds, "began": began, "end": time.time()}).decode())


def _check(made: Machines) -> None:
    """What was measured was done."""
    with psycopg.connect(made.admin_url) as connection:
        row = connection.execute("SELECT count(*), count(ended_at) FROM claims").fetchone()
    assert row == (2 * CLIENTS * (EACH + 1),) * 2, row
