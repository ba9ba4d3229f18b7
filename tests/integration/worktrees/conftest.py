"""Fixtures: `world`, a repository in a container in a home of its own; `victims`, processes to be killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.worktrees.world import Victims, World
from zdriver.testing import Home


@pytest.fixture(scope="session")
def victims() -> Iterator[Victims]:
    made = Victims()
    yield made
    made.close()


@pytest.fixture
def world(home: Home, victims: Victims) -> World:
    (home.path / ".gitconfig").write_text(
        "[user]\nname = Ada\nemail = ada@example.org\n[init]\ndefaultBranch = main\n"
        '[protocol "file"]\nallow = always\n[gc]\nauto = 0\n'
        "[maintenance]\nauto = false\n"  # which git may do in the background, with a lock file
    )
    return World(home, victims)
