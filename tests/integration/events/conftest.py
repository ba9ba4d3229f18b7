"""Fixtures: `publishing`, a store whose relays publish to a virtual host of the test's own; `reader`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.events.publishing import Publishing, Reader, embedded


@pytest.fixture
def reader(amqp_url: str) -> Reader:
    return Reader(amqp_url)


@pytest.fixture
def publishing(tmp_path: Path, amqp_url: str) -> Iterator[Publishing]:
    made = Publishing(embedded(tmp_path), amqp_url)
    yield made
    made.close()
