"""Every engine has to tell the same story: add it to `ENGINES` and all tests here run on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.contract.claiming import Here
from tests.contract.contexts import contexts_of
from zdriver.claims.service import ClaimsService
from zdriver.context.service import ContextService
from zdriver.core.clock import Clock, now_us
from zdriver.core.engines import Address
from zdriver.storage.port import Store
from zdriver.storage.postgres.store import PostgresStore
from zdriver.storage.sqlite import SqliteStore
from zdriver.testing import until
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
    """One database for all tests of a run, emptied for each: making one takes ten times as long."""
    server: PostgreSql = request.getfixturevalue("postgres_server")
    where = Address(setting="storage.url", scheme="postgresql", url=server.url_of(DATABASE))
    if not server.sql("SELECT 1 FROM pg_database WHERE datname = %s", DATABASE):
        server.database(DATABASE)
        PostgresStore(where).close()
    server.sql(_EMPTY, database=DATABASE)
    yield lambda: PostgresStore(where, clock=clock, sinks=("audit",))


DATABASE = "contract"
_EMPTY = """
DO $$ BEGIN
    EXECUTE (
        SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') || ' RESTART IDENTITY'
        FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('zdriver_schema', 'event_base')
    );
END $$
"""
#: name → makes room for a store, and gives what opens it; opened again it is the same store.
ENGINES: dict[str, Callable[[pytest.FixtureRequest, Clock], AbstractContextManager[Reopen]]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
}


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


@pytest.fixture
def contexts(store: Store) -> ContextService:
    return contexts_of(store)


@pytest.fixture
def here(store: Store, clock: Ticking) -> Here:
    return Here(store, clock)


@pytest.fixture
def claims(here: Here, monkeypatch: pytest.MonkeyPatch) -> ClaimsService:
    monkeypatch.chdir("/")  # in no worktree: a name is one of those that `here` finds
    return here.service


@pytest.fixture
def no_threads_left(reopen: Reopen) -> Iterator[None]:
    """Once the test's store is closed, nothing of it runs."""
    before = threading.active_count()
    yield
    until(lambda: threading.active_count() <= before, what="the end of all threads")
