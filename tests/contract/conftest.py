"""Every engine has to tell the same story: add it to `ENGINES` and all tests here run on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from zdriver.core.clock import Clock, now_us
from zdriver.core.engines import Address
from zdriver.storage.port import Store
from zdriver.storage.postgres.store import PostgresStore
from zdriver.storage.sqlite import SqliteStore
from zdriver.testing.servers import PostgreSql


class Ticking:
    """A clock that tests set by hand."""

    def __init__(self) -> None:
        self.ahead = 0  #: µs

    def __call__(self) -> int:
        return now_us() + self.ahead


Reopen = Callable[[], AbstractContextManager[Store]]


@contextmanager
def _sqlite(_request: pytest.FixtureRequest, clock: Clock) -> Iterator[Reopen]:
    with TemporaryDirectory(prefix="zdriver-") as folder:
        yield lambda: SqliteStore(Path(folder) / "zdriver.db", clock=clock, sinks=("audit",))


@contextmanager
def _postgresql(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Reopen]:
    server: PostgreSql = request.getfixturevalue("postgres_server")
    name = f"contract_{next(_numbers)}"
    where = Address(setting="storage.url", scheme="postgresql", url=server.database(name))
    yield lambda: PostgresStore(where, clock=clock, sinks=("audit",))
    server.drop(name)


#: name → makes room for a store, and gives what opens it; opened again it is the same store.
ENGINES: dict[str, Callable[[pytest.FixtureRequest, Clock], AbstractContextManager[Reopen]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
}
_numbers = count(1)


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture(params=sorted(ENGINES))
def reopen(request: pytest.FixtureRequest, clock: Ticking) -> Iterator[Reopen]:
    """Opens the store that belongs to the test, of an engine that it is run on."""
    with ENGINES[request.param](request, clock) as opens:
        yield opens


@pytest.fixture
def store(reopen: Reopen) -> Iterator[Store]:
    with reopen() as opened:
        yield opened
