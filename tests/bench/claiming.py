"""The figures of claims: asking whether one stands, and taking and giving back."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import msgspec

import zdriver
from tests.bench.bare import Saving
from tests.bench.figures import asking
from tests.bench.measure import Turns, percentile, timed
from tests.bench.report import Figure, misses
from tests.bench.worktrees import repository
from tests.bench.world import World, bare
from zdriver.core.clock import now_us
from zdriver.core.ids import new_id
from zdriver.storage.catalog import statements
from zdriver.storage.sqlite import SqliteStore

CLIENTS = 32
_EACH = 100


def claim(world: World) -> Iterator[Figure]:
    trunk = repository(world.home.path / "claimed" / "trunk-main", 10)
    with world.daemon() as driver:
        for number in range(CLIENTS):
            driver.worktrees.add("feat", f"n{number}", cwd=str(trunk))
        yield _check(world, driver, trunk)
        yield _alone(world, driver, trunk)
        yield _crowd(world, trunk)


def _check(world: World, driver: zdriver.Driver, trunk: Path) -> Figure:
    path = world.home.path / "echo"
    held = driver.claims.claim("feat-n0", agent="bench", cwd=str(trunk))
    with bare("echo", socket=path), asking(path) as echo:
        turns = Turns(
            lambda: driver.claims.check("feat-n0", token=held.token, agent="bench", cwd=str(trunk)), echo
        ).run(60, block=50, warm=4)
    (ours, limit), (tail, _) = turns.ms(), turns.ms(99)
    rate = len(turns.ours) / sum(turns.ours)
    return Figure(
        what="claim check over the socket",
        unit="ms",
        ours=ours,
        tail=tail,
        limit=limit,
        against="a bare JSON echo on a socket",
        target="p50 <= 0.15, p99 <= 0.5, >= 5,000/s, <= 2x",
        misses=misses(p50=ours <= 0.15, p99=tail <= 0.5, rate=rate >= 5000, ratio=ours <= 2 * limit),
    )


def _alone(world: World, driver: zdriver.Driver, trunk: Path) -> Figure:
    pair = _Pair(world.home.path / "pair.db")

    def ours() -> None:
        driver.claims.claim("feat-n1", agent="bench", cwd=str(trunk))
        driver.claims.release("feat-n1", agent="bench", cwd=str(trunk))

    turns = Turns(ours, pair.alone).run(40, block=10, warm=2)
    (taken, limit), (tail, _) = turns.ms(), turns.ms(99)
    return Figure(
        what="claim + release, durable, one client",
        unit="ms",
        ours=taken,
        tail=tail,
        limit=limit,
        against="the statements of both on a bare connection, a commit at FULL each, no socket",
    )


def _crowd(world: World, trunk: Path) -> Figure:
    """32 agents, each with a worktree of its own, as threads of two processes."""
    workers = 2
    script = (
        "import sys; from tests.bench.claiming import hammer; hammer(*map(int, sys.argv[1:4]), sys.argv[4])"
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(first), str(CLIENTS // workers), str(_EACH), str(trunk)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in range(0, CLIENTS, CLIENTS // workers)
    ]
    spans = [msgspec.json.decode(process.communicate(timeout=300)[0]) for process in running]
    seconds = [second for span in spans for second in span["seconds"]]
    rate = len(seconds) / (max(span["end"] for span in spans) - min(span["began"] for span in spans))
    return Figure(
        what=f"claim + release, durable, {CLIENTS} agents",
        unit="/s",
        ours=rate,
        tail=percentile(seconds, 99) * 1000,
        limit=_Pair(world.home.path / "pairs.db").grouped(),
        against=f"the same statements in one process, {CLIENTS} to a commit at FULL (p99 in ms is ours)",
        target=">= 1,000/s",
        misses=misses(rate=rate >= 1000),
    )


def hammer(first: int, clients: int, each: int, folder: str) -> None:
    """`clients` threads, each with a connection and a worktree of its own; prints their times as JSON."""
    seconds: list[float] = []
    barrier = threading.Barrier(clients + 1)

    def client(number: int) -> None:
        name, agent = f"feat-n{number}", f"bench-{number}"
        with zdriver.connect() as driver:

            def pair() -> None:
                driver.claims.claim(name, agent=agent, cwd=folder)
                driver.claims.release(name, agent=agent, cwd=folder)

            if number == 0:
                driver.claims.release(name, agent="bench", cwd=folder)
            pair()
            barrier.wait()
            for _ in range(each):
                seconds.append(timed(pair))

    threads = [threading.Thread(target=client, args=(first + number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    barrier.wait()
    began = time.time()
    for thread in threads:
        thread.join()
    sys.stdout.write(msgspec.json.encode({"seconds": seconds, "began": began, "end": time.time()}).decode())


class _Pair:
    """The statements of a claim and its release, as the store runs them, on a bare connection."""

    def __init__(self, database: Path) -> None:
        SqliteStore(database).close()
        self.connection: apsw.Connection = Saving(database).connection
        self._sql = statements("sqlite")
        self._worktree = new_id()
        repo, now = new_id(), now_us()
        named = {"trunk": "/t", "container": "/", "remote": "", "default_branch": "main"}
        self._run("worktree.repo_add", id=repo, host="h", git_dir="/t/.git", **named, at=now)
        empty = dict.fromkeys(("title", "base", "step", "head", "owner", "pr_title", "pr_url", "agent"), "")
        tree = {"name": "feat-x", "type": "feat", "branch": "feat-x", "path": "/x", "state": "ready"}
        self._run("worktree.add", id=self._worktree, repo_id=repo, **tree, **empty, made_branch=1,
                  pr_number=None, at=now)  # fmt: skip

    def _run(self, statement: str, /, **values: Any) -> list[Any]:
        return self.connection.execute(self._sql[statement], values).fetchall()

    def alone(self) -> None:
        with self.connection:
            id_ = self._claim()
        with self.connection:
            self._release(id_)

    def grouped(self) -> float:
        """Pairs per second."""
        groups = 40
        began = time.perf_counter()
        for _ in range(groups):
            with self.connection:
                for _ in range(CLIENTS):
                    self._release(self._claim())
        return groups * CLIENTS / (time.perf_counter() - began)

    def _claim(self) -> str:
        id_, now = new_id(), now_us()
        self._asked()
        who = {"agent": "bench", "host": "h", "pid": None, "session": "", "lease": 60_000_000}
        taken = self._run("claim.take", id=id_, worktree_id=self._worktree, **who, now=now, seq=2**62)
        self._run("claim.fence", worktree_id=self._worktree, token=taken[0][0])
        self._said("worktree.claimed")
        self._said("task.assigned")
        return id_

    def _release(self, id_: str) -> None:
        self._asked()
        self._run("claim.end", id=id_, at=now_us(), ended="released", reason="")
        self._said("worktree.released")

    def _asked(self) -> None:
        self._run("claim.current", worktree_id=self._worktree, now=now_us())

    def _said(self, type_: str) -> None:
        event = {"id": new_id(), "type": type_, "aggregate": f"worktree:{self._worktree}", "subject": ""}
        self._run("event.append", **event, at=now_us(), envelope=b"x" * 600)
