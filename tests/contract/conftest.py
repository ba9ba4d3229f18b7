"""Every engine has to tell the same story: add it to `ENGINES` and all tests here run on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from zdriver.core.clock import Clock, now_us
from zdriver.storage.port import Store
from zdriver.storage.sqlite import SqliteStore


class Ticking:
    """A clock that tests set by hand."""

    def __init__(self) -> None:
        self.ahead = 0  #: µs

    def __call__(self) -> int:
        return now_us() + self.ahead


def _sqlite(folder: Path, clock: Clock) -> AbstractContextManager[Store]:
    return SqliteStore(folder / "store" / "zdriver.db", clock=clock, sinks=("audit",))


#: name → opens the store that belongs to a folder; opened again it is the same store.
ENGINES: dict[str, Callable[[Path, Clock], AbstractContextManager[Store]]] = {"sqlite": _sqlite}


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture(params=sorted(ENGINES))
def reopen(
    request: pytest.FixtureRequest, tmp_path: Path, clock: Ticking
) -> Callable[[], AbstractContextManager[Store]]:
    engine = ENGINES[request.param]
    return lambda: engine(tmp_path, clock)


@pytest.fixture
def store(reopen: Callable[[], AbstractContextManager[Store]]) -> Iterator[Store]:
    with reopen() as opened:
        yield opened
