"""Fixtures: a store of this process in a home of its own, and an archive in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.archive.world import World
from zdriver.archive import archiver
from zdriver.testing import Home


@pytest.fixture
def world(home: Home, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The worker reads its configuration as it always does: from this environment."""
    monkeypatch.setenv("ZDRIVER_ARCHIVE_URL", database_url)
    # A worker is a process: a busy machine may take long to start it.
    monkeypatch.setattr(archiver, "FORGETTING", 60.0)
    with World(home.database, database_url) as made:
        yield made
