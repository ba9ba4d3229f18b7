"""Many want one worktree: one gets it, in turn, and nobody is left out."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import zdriver
from tests.integration.daemons import Daemons

RACERS, ROUNDS = 200, 50


def run(project: Path, how: str, count: int, rounds: int) -> list[list[int]]:
    words = [sys.executable, "-m", "tests.integration.claims.racers", how, str(count), str(rounds)]
    root = Path(__file__).parents[3]
    path = f"{project.parent}/feat-a"
    done = subprocess.run([*words, path], cwd=root, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_of_two_hundred_processes_exactly_one_wins_each_round(project: Path, daemons: Daemons) -> None:
    daemons.pid()
    rounds = run(project, "race", RACERS, ROUNDS)
    assert len(rounds) == ROUNDS
    assert [len(tokens) for tokens in rounds] == [1] * ROUNDS
    tokens = [token for (token,) in rounds]
    assert tokens == sorted(set(tokens))
    with zdriver.connect() as driver:
        kept = driver.claims.list(all=True, limit=1000)
    assert [claim.token for claim in reversed(kept)] == tokens
    assert {claim.ended for claim in kept} == {"released"}


def test_of_two_hundred_that_wait_each_gets_it(project: Path, daemons: Daemons) -> None:
    daemons.pid()
    (tokens,) = run(project, "wait", RACERS, 1)
    assert len(tokens) == RACERS
    assert len(set(tokens)) == RACERS
    with zdriver.connect() as driver:
        kept = driver.claims.list(all=True, limit=1000)
    assert len(kept) == RACERS
    held = sorted((claim.claimed_at, claim.ended_at) for claim in kept if claim.ended_at)
    assert all(before[1] <= after[0] for before, after in pairwise(held)), "never two"
