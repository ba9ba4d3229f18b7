"""Who waits for a worktree that another one holds, on every engine."""

from __future__ import annotations

import threading

import pytest

from tests.contract.claiming import MINUTE, Here
from tests.contract.conftest import Reopen, Ticking
from zdriver.claims.model import Turn
from zdriver.claims.service import ClaimsService
from zdriver.core.errors import Conflict
from zdriver.core.ids import new_id
from zdriver.testing import until

pytestmark = pytest.mark.usefixtures("no_threads_left")


def test_first_come_first_served_and_each_is_woken_at_once(claims: ClaimsService, here: Here) -> None:
    claims.claim("feat-a", agent="zero")
    got: list[str] = []

    def wait(agent: str) -> None:
        turn = claims.queue("feat-a", agent=agent, lease=60)
        assert turn.claim is not None
        got.append(agent)
        claims.release("feat-a", agent=agent)

    threads = []
    for number in range(5):
        threads.append(threading.Thread(target=wait, args=(f"agent-{number}",)))
        threads[-1].start()
        until(lambda: _waiting(claims) == len(threads), what="its place in the queue")
    claims.release("feat-a", agent="zero")
    for thread in threads:
        thread.join(60)
    assert got == [f"agent-{number}" for number in range(5)]
    assert claims.list("feat-a") == ()


def test_who_is_woken_for_nothing_goes_on_waiting(claims: ClaimsService, here: Here) -> None:
    """As everybody is by a store of several machines whose news were interrupted."""
    claims.claim("feat-a", agent="zero")
    turns: list[Turn] = []
    thread = threading.Thread(target=lambda: turns.append(claims.queue("feat-a", agent="one", lease=60)))
    thread.start()
    until(lambda: _waiting(claims) == 1, what="its place in the queue")
    claims.desk.heard("")
    claims.release("feat-a", agent="zero")
    thread.join(60)
    assert [turn.claim is not None and turn.claim.agent for turn in turns] == ["one"]


def _waiting(claims: ClaimsService) -> int:
    held = claims.list("feat-a")
    return held[0].waiting if held else -1


def test_nobody_jumps_the_queue_and_a_place_is_kept_between_two_calls(
    claims: ClaimsService, clock: Ticking
) -> None:
    claims.claim("feat-a", agent="zero", lease=60)
    first = claims.queue("feat-a", agent="one", seconds=0)
    second = claims.queue("feat-a", agent="two", seconds=0)
    assert (first.ahead, second.ahead) == (0, 1)
    assert second.holder is not None
    assert second.holder.agent == "zero"
    clock.ahead += 20_000_000
    claims.queue("feat-a", agent="two", seconds=0, ticket=second.ticket)
    assert claims.queue("feat-a", agent="one", seconds=0, ticket=first.ticket).ahead == 0
    claims.release("feat-a", agent="zero")
    with pytest.raises(Conflict, match="held by one"):
        claims.claim("feat-a", agent="three")
    turn = claims.queue("feat-a", agent="one", seconds=0, ticket=first.ticket, lease=600)
    assert turn.claim is not None
    assert (turn.claim.id, turn.claim.lease, turn.claim.again) == (first.ticket, 600, False)


def test_a_waiter_that_vanished_is_passed_over(claims: ClaimsService, clock: Ticking) -> None:
    claims.claim("feat-a", agent="zero")
    gone = claims.queue("feat-a", agent="gone", seconds=0)
    clock.ahead += 31_000_000
    there = claims.queue("feat-a", agent="there", seconds=0)
    assert there.ahead == 0
    claims.release("feat-a", agent="zero")
    assert claims.list("feat-a")[0].agent == "there"
    late = claims.queue("feat-a", agent="gone", seconds=0, ticket=gone.ticket)
    assert late.claim is None


def test_who_is_next_and_does_not_pick_it_up_loses_it(claims: ClaimsService, clock: Ticking) -> None:
    claims.claim("feat-a", agent="zero")
    gone = claims.queue("feat-a", agent="gone", seconds=0)
    claims.release("feat-a", agent="zero")
    clock.ahead += 31_000_000
    assert claims.claim("feat-a", agent="two").token == 3
    again = claims.queue("feat-a", agent="gone", seconds=0, ticket=gone.ticket)
    assert again.ticket != gone.ticket, "a ticket is used up with its claim"


def test_leaving_gives_up_a_place_or_the_claim_that_came_of_it(claims: ClaimsService) -> None:
    claims.claim("feat-a", agent="zero")
    one = claims.queue("feat-a", agent="one", seconds=0)
    two = claims.queue("feat-a", agent="two", seconds=0)
    assert claims.leave(one.ticket) is None
    claims.release("feat-a", agent="zero")
    ended = claims.leave(two.ticket)
    assert ended is not None
    assert (ended.agent, ended.ended) == ("two", "released")
    assert claims.list("feat-a") == ()
    assert claims.leave(new_id()) is None


def test_the_keeper_passes_an_expired_claim_on_at_once(
    claims: ClaimsService, here: Here, clock: Ticking
) -> None:
    claims.keeper.start()
    try:
        claims.claim("feat-a", agent="one", lease=1)
        turn = claims.queue("feat-a", agent="two")
        assert turn.claim is not None
        assert turn.claim.agent == "two"
    finally:
        claims.keeper.stop()
    assert "claim.expired" in here.events()


def test_after_a_restart_who_waited_has_its_place_still(reopen: Reopen, clock: Ticking) -> None:
    with reopen() as store:
        here = Here(store, clock)
        here.service.claim("feat-a", agent="zero", lease=3600)
        long_gone = here.service.queue("feat-a", agent="gone", seconds=0)
        clock.ahead += 2 * MINUTE
        first = here.service.queue("feat-a", agent="one", seconds=0)
    clock.ahead += MINUTE  # longer than a place is kept
    with reopen() as store:
        claims = ClaimsService(store, here.find, host="h", steady=clock)
        claims.desk.recover()
        claims.queue("feat-a", agent="two", seconds=0)
        claims.release("feat-a", agent="zero")
        assert claims.queue("feat-a", agent="one", seconds=0, ticket=first.ticket).claim is not None
        assert claims.queue("feat-a", agent="gone", seconds=0, ticket=long_gone.ticket).ahead == 1
