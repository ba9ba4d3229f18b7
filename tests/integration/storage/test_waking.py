"""Claims of two daemons on one store: who waits there is woken here, by the database's clock."""

from __future__ import annotations

import threading
import time

import pytest

from tests.contract.claiming import make_worktrees
from tests.integration.storage.conftest import Opens
from zdriver.claims import rules
from zdriver.claims.model import Turn
from zdriver.claims.service import ClaimsService
from zdriver.core.errors import NotFound
from zdriver.storage.postgres.store import PostgresStore
from zdriver.testing import until
from zdriver.worktrees.model import Repo, Worktree


class Daemons:
    """Services on stores of their own, which know the same worktrees."""

    def __init__(self, opens: Opens) -> None:
        self.stores = [opens(), opens()]
        self.worktrees = make_worktrees(self.stores[0], "feat-a")
        self.claims = [self._service(store, f"host{i}") for i, store in enumerate(self.stores)]

    def _service(self, store: PostgresStore, host: str) -> ClaimsService:
        return ClaimsService(store, self.find, host=host, alive=lambda _pid: True)

    def find(self, name: str = "", cwd: str = "") -> tuple[Repo, Worktree]:
        if name not in self.worktrees:
            raise NotFound(name)
        return self.worktrees[name]


@pytest.fixture
def daemons(opens: Opens) -> Daemons:
    return Daemons(opens)


class Waiter:
    """Waits for `feat-a` at a daemon, and notes when it got an answer."""

    def __init__(self, claims: ClaimsService) -> None:
        self.turn: Turn | None = None
        self.at = 0.0
        self._claims = claims
        self._thread = threading.Thread(target=self._wait)
        self._thread.start()

    def _wait(self) -> None:
        self.turn = self._claims.queue("feat-a", agent="two", cwd="/", seconds=rules.ASK)
        self.at = time.monotonic()

    def join(self) -> Turn:
        self._thread.join(40)
        assert self.turn is not None
        return self.turn


def waiting(claims: ClaimsService) -> int:
    held = claims.list("feat-a", cwd="/")
    return held[0].waiting if held else 0


def test_a_release_at_one_daemon_wakes_who_waits_at_another(daemons: Daemons) -> None:
    here, there = daemons.claims
    here.claim("feat-a", agent="one", cwd="/")
    waiter = Waiter(there)
    until(lambda: waiting(here) == 1, what="the other's place in the queue")
    here.release("feat-a", agent="one", cwd="/")
    turn = waiter.join()
    assert turn.claim is not None
    assert (turn.claim.agent, turn.claim.token, turn.claim.host) == ("two", 2, "host1")


def test_who_waits_is_served_when_the_daemon_of_the_holder_is_gone(daemons: Daemons) -> None:
    """No note comes: that daemon was killed. The waiter's own ends the lease when it is over."""
    here, there = daemons.claims
    here.claim("feat-a", agent="one", lease=2, cwd="/")
    daemons.stores[0].close()
    there.keeper.start()
    try:
        turn = Waiter(there).join()
    finally:
        there.keeper.stop()
    assert turn.claim is not None
    assert turn.claim.token == 2


def test_the_clock_of_this_machine_says_nothing_about_leases(
    daemons: Daemons, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = daemons.claims
    held = here.claim("feat-a", agent="one", lease=60, cwd="/")
    real = time.time_ns
    for hours in (-1, 1, 24):
        monkeypatch.setattr(time, "time_ns", lambda hours=hours: real() + hours * 3_600_000_000_000)
        check = there.check("feat-a", agent="one", token=held.token, cwd="/")
        assert check is not None
        assert check.expires_at == held.expires_at
        again = here.beat(held.id)
        assert 55 < (again.expires_at - held.claimed_at).total_seconds() < 90
        held = again
