"""Many want one worktree: one gets it, in turn, and nobody is left out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import zdriver
from tests.integration.daemons import Daemons

RACERS, ROUNDS = 200, 50


def run(
    project: Path, how: str, count: int, rounds: int, package: Path | None = None
) -> tuple[list[list[int]], str]:
    """(the tokens of each round, what went wrong). package: the folder of another zdriver to import."""
    root = Path(__file__).parents[3]
    words = [sys.executable, "-P", "-m", "tests.integration.claims.racers", how, str(count), str(rounds)]
    path = os.pathsep.join(map(str, (package, root) if package else (root,)))
    done = subprocess.run(
        [*words, f"{project.parent}/feat-a"],
        cwd=project, env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip
    said = [json.loads(line) for line in done.stdout.splitlines()]
    return said, done.stderr if done.returncode else ""


def one_each(rounds: list[list[int]]) -> list[int]:
    """The tokens: exactly one winner each round, and every token above all before."""
    assert [len(tokens) for tokens in rounds] == [1] * len(rounds)
    tokens = [token for (token,) in rounds]
    assert tokens == sorted(set(tokens))
    return tokens


@pytest.mark.timeout(1200)  # where the machine is slow and busy
def test_of_two_hundred_processes_exactly_one_wins_each_round(project: Path, daemons: Daemons) -> None:
    daemons.pid()
    rounds, wrong = run(project, "race", RACERS, ROUNDS)
    assert (len(rounds), wrong) == (ROUNDS, "")
    tokens = one_each(rounds)
    with zdriver.connect() as driver:
        kept = driver.claims.list(all=True, limit=1000)
    assert [claim.token for claim in reversed(kept)] == tokens
    assert {claim.ended for claim in kept} == {"released"}


@pytest.mark.timeout(1200)  # where the machine is slow and busy
def test_of_two_hundred_that_wait_each_gets_it(project: Path, daemons: Daemons) -> None:
    daemons.pid()
    (tokens,), wrong = run(project, "wait", RACERS, 1)
    assert not wrong
    assert len(tokens) == RACERS
    assert len(set(tokens)) == RACERS
    with zdriver.connect() as driver:
        kept = driver.claims.list(all=True, limit=1000)
    assert len(kept) == RACERS
    held = sorted((claim.claimed_at, claim.ended_at) for claim in kept if claim.ended_at)
    assert all(before[1] <= after[0] for before, after in pairwise(held)), "never two"


def without(package: Path, file: str, *guards: str) -> None:
    """Takes lines out of a file of a copy of the package."""
    path = package / "zdriver" / "storage" / file
    text = path.read_text()
    for guard in guards:
        assert text.count(guard) == 1, guard
        text = text.replace(guard, "")
    path.write_text(text)


GUARDS = (
    "    AND NOT EXISTS (SELECT 1 FROM claims c WHERE c.worktree_id = w.id AND c.ended_at IS NULL)\n",
    "ON CONFLICT (worktree_id) WHERE ended_at IS NULL DO NOTHING\n",
)
UNIQUE = "CREATE UNIQUE INDEX claims_current ON claims (worktree_id) WHERE ended_at IS NULL;\n"


def test_without_the_guard_the_same_race_is_lost(project: Path, tmp_path: Path) -> None:
    """Negative control: a zdriver whose statement does not ask gives one worktree to many."""
    source = Path(zdriver.__file__).parent
    shutil.copytree(source, tmp_path / "zdriver", ignore=shutil.ignore_patterns("__pycache__", "*.wasm"))
    without(tmp_path, "statements/claim.sqlite.sql", *GUARDS)
    without(tmp_path, "migrations/sqlite/0003_worktrees.sql", UNIQUE)
    rounds, _ = run(project, "race", 20, 1, tmp_path)
    assert len(rounds[0]) > 1, "many won"
    with pytest.raises(AssertionError):
        one_each(rounds)
