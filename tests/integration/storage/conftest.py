"""Stores on PostgreSQL, as several daemons have them open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.contract.claiming import make_worktrees
from tests.integration.storage.claims import Counting, Worktrees
from zdriver.core.engines import Address
from zdriver.storage.postgres.store import PostgresStore

Opens = Callable[..., PostgresStore]


def at(url: str) -> Address:
    return Address(setting="storage.url", scheme="postgresql", url=url)


@pytest.fixture
def opens(database_url: str) -> Iterator[Opens]:
    """Opens one more store on the test's database, or on `url`; all are closed with the test."""
    with ExitStack() as stack:
        yield lambda url=database_url, **given: stack.enter_context(PostgresStore(at(url), **given))


@pytest.fixture
def store(database_url: str) -> Iterator[Counting]:
    with Counting(at(database_url), sinks=("audit", "relay")) as opened:
        yield opened


@pytest.fixture
def known(store: Counting) -> Worktrees:
    made = make_worktrees(store, "feat-a", "feat-b")
    store.units = 0
    return made
