"""Claims from five machines on one PostgreSQL, counted by plain psycopg."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from tests.faults.clocks import WallClock
from tests.integration.daemons import program
from tests.integration.hosts.machines import Machine, Machines, Make
from zdriver.claims.model import Claim
from zdriver.core.errors import Conflict
from zdriver.testing import until

MACHINES, EACH, ROUNDS = 5, 40, 50


def run(machines: Sequence[Machine], how: str, rounds: int) -> list[list[int]]:
    """The tokens of each round: 200 processes, 40 on each machine."""
    root = Path(__file__).parents[3]
    words = [sys.executable, "-P", "-m", "tests.integration.hosts.racers", how, str(EACH), str(rounds)]
    done = subprocess.run(
        [*words, "feat-race"],
        input="".join(f"{json.dumps([each.home.env, str(each.project)])}\n" for each in machines),
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[:4000]
    return [json.loads(line) for line in done.stdout.splitlines()]


def rows(machines: Machines, columns: str) -> list[tuple[int, ...]]:
    """Of all claims, in the order of their tokens."""
    with psycopg.connect(machines.admin_url) as connection:
        return connection.execute(f"SELECT {columns} FROM claims ORDER BY token".encode()).fetchall()


@pytest.fixture
def five(make: Make, origin: Path) -> Machines:
    """Each has a worktree `feat-race` in its clone."""
    made = make(MACHINES)
    for _ in range(MACHINES):
        made.add(origin).data("feat", "race")
    return made


@pytest.mark.timeout(1200)  # where the machine is slow and busy
def test_of_two_hundred_on_five_machines_exactly_one_wins_each_round(five: Machines) -> None:
    rounds = run(five.all, "race", ROUNDS)
    assert [len(tokens) for tokens in rounds] == [1] * ROUNDS
    assert [token for (token,) in rounds] == list(range(1, ROUNDS + 1))
    assert [token for (token,) in rows(five, "token")] == list(range(1, ROUNDS + 1))


@pytest.mark.timeout(1200)  # where the machine is slow and busy
def test_of_two_hundred_that_wait_on_five_machines_each_gets_it(five: Machines) -> None:
    (tokens,) = run(five.all, "wait", 1)
    assert sorted(tokens) == list(range(1, MACHINES * EACH + 1))
    held = rows(five, "claimed_at, ended_at, token")
    assert all(before[1] <= after[0] for before, after in pairwise(held)), "never two"
    assert len({host for (host,) in rows(five, "host")}) == MACHINES


def test_who_waits_is_woken_by_a_release_on_another_machine(two: tuple[Machine, Machine]) -> None:
    a, b = two
    for each in two:
        each.data("feat", "race")
    with a.driver() as here, b.driver() as there:
        held = here.claims.claim("feat-race", agent="one", cwd=str(a.project))
        got: list[Claim] = []
        waiting = threading.Event()

        def wait() -> None:
            found = there.claims.claim(
                "feat-race", agent="two", cwd=str(b.project), wait=60, waiting=lambda _turn: waiting.set()
            )
            got.append(found)

        thread = threading.Thread(target=wait)
        thread.start()
        assert waiting.wait(60)
        until(lambda: here.claims.list(cwd=str(a.project))[0].waiting == 1, what="its place in the queue")
        here.claims.release("feat-race", agent="one", cwd=str(a.project))
        thread.join(60)
        (found,) = got
        assert (found.agent, found.token) == ("two", held.token + 1)


def test_the_claims_of_a_daemon_that_is_killed_pass_on(two: tuple[Machine, Machine]) -> None:
    a, b = two
    for each in two:
        each.data("feat", "race")
    with a.driver() as here:
        here.claims.claim("feat-race", agent="one", cwd=str(a.project), lease=3)
    a.kill()
    done = b.data("claim", "feat-race", "--agent", "two", "--wait", "60")
    assert (done["agent"], done["token"]) == ("two", 2)
    ended = {each["agent"]: each["ended"] for each in b.data("claims", "--all")}
    assert ended == {"one": "expired", "two": ""}


def test_who_waited_at_a_daemon_that_is_killed_keeps_nobody_out(make: Make, origin: Path) -> None:
    """Its place is kept for half a minute, and what it was given is taken back after another."""
    made = make(3)
    a, b, c = (made.add(origin) for _ in range(3))
    for each in made.all:
        each.data("feat", "race")
    a.data("claim", "feat-race", "--agent", "one")
    command = [*b.entering, *program(), "claim", "feat-race", "--agent", "two", "--wait", "300"]
    with subprocess.Popen(
        command, env={**b.home.env, "ZDRIVER_NO_FORK": "1"}, cwd=b.project, stderr=subprocess.DEVNULL
    ) as waits:
        until(lambda: a.data("claims")[0]["waiting"] == 1, what="the one that will be killed", deadline=60)
        b.kill()
        waits.wait()
    a.data("release", "feat-race", "--agent", "one")
    done = c.data("claim", "feat-race", "--agent", "three", "--wait", "100")
    assert done["agent"] == "three"


def test_a_clock_that_is_put_back_an_hour_changes_nothing(make: Make, origin: Path, tmp_path: Path) -> None:
    """The database's time counts, for its own claims and for those of others."""
    clock = WallClock(tmp_path / "clock")
    made = make(2)
    a, b = made.add(origin), made.add(origin, clock.env)
    for each in made.all:
        each.data("feat", "race")
    ahead = b.home.env
    with a.driver() as here, b.driver() as there:
        mine = there.claims.claim("feat-race", agent="two", cwd=str(b.project), lease=8)
        clock.set(-3600)
        again = there.claims.beat(mine.id, lease=8)
        assert 0 < (again.expires_at - mine.expires_at).total_seconds() < 60
        with pytest.raises(Conflict):
            here.claims.claim("feat-race", agent="one", cwd=str(a.project))
        # Not an hour later, and not at once: when its eight seconds are over.
        taken = here.claims.claim("feat-race", agent="one", cwd=str(a.project), wait=60, lease=600)
        assert taken.token == mine.token + 1
        assert _wall(ahead) < _wall(a.home.env) - 3000, "the clock of B is another one"
        with pytest.raises(Conflict, match="held by one"):
            there.claims.claim("feat-race", agent="two", cwd=str(b.project))
        clock.set(3600)
        with pytest.raises(Conflict, match="held by one"):
            there.claims.claim("feat-race", agent="two", cwd=str(b.project))
    history = rows(made, "token, claimed_at, COALESCE(ended_at, expires_at)")
    assert all(before[2] <= after[1] for before, after in pairwise(history))


def _wall(env: dict[str, str]) -> float:
    """The time of day, as a program with this environment sees it."""
    words = [sys.executable, "-c", "import time; print(time.time())"]
    return float(subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout)
