"""The figures of the daemon: answers, saves, search, commands, start, idleness."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import apsw
import msgspec

import zdriver
from tests.bench.bare import Saving
from tests.bench.measure import Turns, percentile, timed
from tests.bench.report import Figure, misses
from tests.bench.world import World, bare
from zdriver.context.model import Place
from zdriver.core.build import build_id
from zdriver.core.clock import now_us
from zdriver.core.ids import new_id
from zdriver.core.tokens import query_words, search_words
from zdriver.rpc.protocol import PROTOCOL, Welcome
from zdriver.storage.catalog import statements
from zdriver.storage.sqlite import SqliteStore

#: Entries that the history search goes through.
ENTRIES = 100_000
CLIENTS = 32
TICK = os.sysconf("SC_CLK_TCK")


@contextmanager
def asking(path: Path) -> Iterator[Callable[[], object]]:
    """One round trip with a bare server: as many bytes each way as a small call has."""
    line = {"jsonrpc": "2.0", "id": 1, "method": "context.intent", "params": {"place": {"cwd": "/project"}}}
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        encode, decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode

        def ask() -> object:
            sock.sendall(encode(line) + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                data += sock.recv(1 << 16)
            return decode(data)

        yield ask


def rpc(world: World) -> Iterator[Figure]:
    """The smallest call there is, and the smallest that reads the store (a claim check will be one)."""
    path = world.home.path / "echo"
    place = Place(cwd=str(world.project))
    hello = {"protocol": PROTOCOL, "client": "bench", "pid": os.getpid(), "build": build_id()}
    with world.daemon() as driver, bare("echo", socket=path), asking(path) as echo:
        driver.context.set_intent("Measure", place=place)
        for what, call in (
            ("smallest call over the socket", lambda: driver.call("hello", Welcome, **hello)),
            ("read of the current intent", lambda: driver.context.intent(place=place)),
        ):
            turns = Turns(call, echo).run(60, block=50, warm=4)
            (ours, limit), (tail, _) = turns.ms(), turns.ms(99)
            rate = len(turns.ours) / sum(turns.ours)
            yield Figure(
                what=what,
                unit="ms",
                ours=ours,
                tail=tail,
                limit=limit,
                against="a bare JSON echo on a socket",
                target="p50 <= 0.15, p99 <= 0.5, >= 5,000/s, <= 2x",
                misses=misses(p50=ours <= 0.15, p99=tail <= 0.5, rate=rate >= 5000, ratio=ours <= 2 * limit),
            )


def save(world: World) -> Iterator[Figure]:
    database = world.home.path / "bare.db"
    SqliteStore(database).close()
    path = world.home.path / "save"
    place = Place(cwd=str(world.project))
    count = iter(range(1_000_000))
    with world.daemon() as driver, bare("save", str(database), socket=path), asking(path) as bare_save:
        turns = Turns(
            lambda: driver.context.set_intent(f"Refactor database layer {next(count)}", place=place),
            bare_save,
        ).run(40, block=25, warm=2)
    (ours, limit), (tail, _) = turns.ms(), turns.ms(99)
    yield Figure(
        what="durable save, one client",
        unit="ms",
        ours=ours,
        tail=tail,
        limit=limit,
        against="an echo that first commits the same statements at FULL",
        target="p50 <= 0.8, p99 <= 3, <= 1.3x",
        misses=misses(p50=ours <= 0.8, p99=tail <= 3, ratio=ours <= 1.3 * limit),
    )


def crowd(world: World) -> Iterator[Figure]:
    """32 clients in processes of their own would need 32 cores: threads of two processes do."""
    each, workers = 150, 2
    script = (
        "import sys; from tests.bench.figures import hammer; hammer(*map(int, sys.argv[1:3]), sys.argv[3])"
    )
    with world.daemon():
        argv = [sys.executable, "-c", script, str(CLIENTS // workers), str(each), str(world.project)]
        running = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(workers)]
        spans = [msgspec.json.decode(process.communicate(timeout=300)[0]) for process in running]
    seconds = [second for span in spans for second in span["seconds"]]
    rate = len(seconds) / (max(span["end"] for span in spans) - min(span["began"] for span in spans))
    database = world.home.path / "crowd.db"
    SqliteStore(database).close()
    yield Figure(
        what=f"durable saves, {CLIENTS} clients",
        unit="/s",
        ours=rate,
        tail=percentile(seconds, 99) * 1000,
        limit=_in_groups(Saving(database)),
        against=f"the same statements in one process, {CLIENTS} to a commit at FULL (p99 in ms is ours)",
        target=">= 2,500/s, p99 <= 25 ms",
        misses=misses(rate=rate >= 2500, p99=percentile(seconds, 99) <= 0.025),
    )


def hammer(clients: int, each: int, folder: str) -> None:
    """`clients` threads, each with a connection of its own; prints their times as JSON."""
    seconds: list[float] = []
    barrier = threading.Barrier(clients + 1)

    def client(number: int) -> None:
        place = Place(cwd=folder, zellij_session=f"s{os.getpid()}-{number}")
        with zdriver.connect() as driver:
            driver.context.set_intent("warm", place=place)
            barrier.wait()
            for turn in range(each):
                seconds.append(timed(partial(driver.context.set_intent, f"{turn}", place=place)))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    barrier.wait()
    began = time.time()
    for thread in threads:
        thread.join()
    sys.stdout.write(msgspec.json.encode({"seconds": seconds, "began": began, "end": time.time()}).decode())


def _in_groups(saving: Saving) -> float:
    """Saves per second."""
    groups = 60
    began = time.perf_counter()
    for _ in range(groups):
        with saving.connection:
            for _ in range(CLIENTS):
                saving.statements()
    return groups * CLIENTS / (time.perf_counter() - began)


def commands(world: World) -> Iterator[Figure]:
    """Everyday commands, as a shell starts them."""
    subprocess.run(["zdriver", "intent", "Measure"], cwd=world.project, capture_output=True, check=True)
    for words in (("intent",), ("milestone",), ("milestone", "Reached"), ("history",)):
        turns = Turns(_started("zdriver", *words, cwd=world.project), _started(sys.executable, "-c", "pass"))
        turns.run(30, warm=3)
        (ours, limit), (tail, _) = turns.ms(), turns.ms(99)
        yield Figure(
            what=f"zdriver {' '.join(words)}",
            unit="ms",
            ours=ours,
            tail=tail,
            limit=limit,
            against="python -c pass",
            target="<= 2x",
            misses=misses(ratio=ours <= 2 * limit),
        )


def _started(*argv: str, cwd: Path | None = None) -> Callable[[], object]:
    return lambda: subprocess.run(argv, cwd=cwd, capture_output=True, check=True)


def start(world: World) -> Iterator[Figure]:
    seconds = []
    for _ in range(7):
        world.stop_daemon()
        seconds.append(timed(lambda: world.daemon().close()))
    ours = percentile(seconds, 50)
    yield Figure(
        what="daemon from nothing to its first answer",
        unit="s",
        ours=ours,
        tail=max(seconds),
        target="<= 0.5",
        misses=misses(start=ours <= 0.5),
    )


def search(world: World) -> Iterator[Figure]:
    """Words, two words, beginnings of words: rare and frequent ones."""
    world.stop_daemon()
    with world.daemon() as driver:
        driver.context.set_intent("The first", place=Place(cwd=str(world.project)))
    world.stop_daemon()
    _fill(world.home.database)
    queries = ("database", "layer refactor", "mod", "number-99", "src/api.ts", "wor", "step 4242", "nothing")
    with world.daemon() as driver:
        connection = apsw.Connection(str(world.home.database), flags=apsw.SQLITE_OPEN_READONLY)
        ours: list[float] = []
        limit: list[float] = []
        for _ in range(12):
            for query in queries:
                ours.append(timed(partial(driver.context.history, query)))
                limit.append(timed(partial(_bare_search, connection, query)))
    tail = percentile(ours, 95) * 1000
    yield Figure(
        what=f"history search over {ENTRIES:,} entries",
        unit="ms",
        ours=percentile(ours, 50) * 1000,
        tail=tail,
        limit=percentile(limit, 50) * 1000,
        against="the same statement on a bare connection, no socket (the tail is the 95th percentile)",
        target="p95 <= 20",
        misses=misses(p95=tail <= 20),
    )


def _bare_search(connection: apsw.Connection, query: str) -> object:
    values = {
        "query": " ".join(query_words(query)),
        "before": 2**63 - 1,
        "since": -(2**63),
        "context_id": "",
        "repo": "",
        "below": "/",
    }
    return connection.execute(statements("sqlite")["search.history"], {**values, "limit": 50}).fetchall()


def _fill(database: Path) -> None:
    sql = statements("sqlite")
    connection = apsw.Connection(str(database))
    context = connection.execute("SELECT id FROM contexts").fetchall()[0][0]
    verbs = ("Refactor", "Extract", "Fix", "Measure", "Rename", "Review")
    nouns = ("database layer", "models", "src/api.ts", "login form", "worker pool", "snapshot store")
    with connection:
        for number in range(ENTRIES):
            text = (
                f"{verbs[number % 6]} {nouns[number // 6 % 6]}, step {number % 5000} number-{number % 1000}"
            )
            entry = {
                "id": new_id(),
                "context_id": context,
                "type": "milestone",
                "text": text,
                "source": "manual",
            }
            rest = {"kind": "milestone", "artifacts": "[]", "commit_id": None, "intent_id": None}
            added = connection.execute(sql["entry.add"], {**entry, "at": now_us(), **rest}).fetchall()
            words = {"seq": added[0][0], "words": search_words(text, ())}
            connection.execute(sql["search.add"], words)
    connection.close()


def idle(world: World, seconds: float = 60.0) -> Iterator[Figure]:
    """Processor time and memory of the daemon and its fork server, while nobody asks anything.

    The spare child of the fork server ends meanwhile: what it took counts as the server's.
    """
    world.stop_daemon()
    world.daemon().close()
    _started("zdriver", "intent", cwd=world.project)()
    before = {pid: _ticks(pid) for pid in world.daemon_pids()}
    time.sleep(seconds)  # not to wait for something: idleness is what is measured
    pids = world.daemon_pids()
    per_cent = sum(_ticks(pid) - before.get(pid, 0) for pid in pids) / TICK / seconds * 100
    memory = sum(map(_pss, pids)) / 1024
    yield Figure(
        what=f"idle daemon, {seconds:.0f} s: processor",
        unit="%",
        ours=per_cent,
        target="<= 0.1",
        misses=misses(processor=per_cent <= 0.1),
    )
    yield Figure(
        what=f"idle daemon ({len(pids)} processes): memory",
        unit="MB",
        ours=memory,
        target="<= 40",
        misses=misses(memory=memory <= 40),
    )


def _ticks(pid: int) -> int:
    """User and system time, that of ended children too (proc(5): fields 14 to 17 of stat)."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return sum(map(int, words[11:15]))


def _pss(pid: int) -> int:
    """KiB; what is shared is counted in parts."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


__all__ = ["asking", "commands", "crowd", "idle", "rpc", "save", "search", "start"]
