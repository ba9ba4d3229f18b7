"""Fixtures: `origin`, a repository to clone; `make`, machines that have one store."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.hosts.machines import Machine, Machines, Make, machines

_ADA = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    bare = tmp_path / "shop.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(bare)], check=True)
    work = tmp_path / "work"
    subprocess.run(["git", "init", "-q", "-b", "main", str(work)], check=True)
    for words in (("commit", "-q", "--allow-empty", "-m", "one"), ("push", "-q", str(bare), "main")):
        subprocess.run(["git", *_ADA, *words], cwd=work, check=True)
    return bare


@pytest.fixture
def make() -> Iterator[Make]:
    with ExitStack() as ending:

        def made(count: int) -> Machines:
            return ending.enter_context(machines(count))

        yield made


@pytest.fixture
def two(make: Make, origin: Path) -> tuple[Machine, Machine]:
    made = make(2)
    return made.add(origin), made.add(origin)
