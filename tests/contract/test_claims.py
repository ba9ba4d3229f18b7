"""Who holds a worktree, on every engine."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.contract.claiming import MINUTE, Here
from tests.contract.conftest import Reopen, Ticking
from zdriver.claims import rules
from zdriver.claims.service import ClaimsService
from zdriver.core.clock import now_us
from zdriver.core.errors import Conflict, InvalidInput, NotFound
from zdriver.core.ids import new_id
from zdriver.storage.port import Store
from zdriver.worktrees.ports import Guard

pytestmark = pytest.mark.usefixtures("no_threads_left")


def test_one_has_it_and_the_other_hears_who_since_when_and_until_when(claims: ClaimsService) -> None:
    held = claims.claim("feat-a", agent="one")
    assert (held.token, held.lease, held.again) == (1, 1800, False)
    assert held.expires_at - held.claimed_at == timedelta(minutes=30)
    with pytest.raises(Conflict, match=r"feat-a is held by one since \d\d:\d\d, until ") as refused:
        claims.claim("feat-a", agent="two")
    assert "--wait" in refused.value.hint
    assert claims.claim("feat-b", agent="two").token == 1


def test_the_same_agent_gets_the_same_claim_again_and_it_is_renewed(
    claims: ClaimsService, clock: Ticking, here: Here
) -> None:
    first = claims.claim("feat-a", agent="one")
    clock.ahead += MINUTE
    again = claims.claim("feat-a", agent="one", lease=1800)
    assert (again.id, again.token, again.again) == (first.id, first.token, True)
    assert again.expires_at > first.expires_at
    shorter = claims.claim("feat-a", agent="one", lease=10)
    assert shorter.expires_at == again.expires_at, "a renewal never shortens"
    assert here.events() == ["worktree.claimed", "task.assigned"]


def test_a_person_is_not_assigned_a_task(claims: ClaimsService, here: Here) -> None:
    claims.claim("feat-a", agent="human:me")
    assert here.events() == ["worktree.claimed"]


def test_tokens_grow_with_every_claim_and_old_ones_are_refused(
    claims: ClaimsService, clock: Ticking, here: Here
) -> None:
    tokens = [claims.claim("feat-a", agent="one").token]
    claims.release("feat-a", agent="one")
    tokens.append(claims.claim("feat-a", agent="one", lease=60).token)
    clock.ahead += 2 * MINUTE
    tokens.append(claims.claim("feat-a", agent="two").token)
    tokens.append(claims.take("feat-a", agent="one", reason="it hangs").token)
    assert tokens == sorted(set(tokens))
    guard: Guard = claims.guard
    for agent, token in zip(("one", "one", "two"), tokens[:-1], strict=True):
        with pytest.raises(Conflict, match="is lost"):
            claims.check("feat-a", agent=agent, token=token, cwd="/w/feat-a")
        with pytest.raises(Conflict):
            guard.check(here.id("feat-a"), agent=agent, token=token)
    with pytest.raises(Conflict, match="does not hold"):
        claims.check("feat-a", agent="one", token=tokens[2], cwd="/w/feat-a")
    guard.check(here.id("feat-a"), agent="one", token=tokens[-1])
    assert claims.check("feat-a", agent="one", cwd="/") == guard.holder(here.id("feat-a"))
    with pytest.raises(Conflict, match="does not hold"):
        guard.check(here.id("feat-a"), agent="one", token=99)


def test_without_a_claim_anybody_may_but_not_with_a_token_that_holds_nothing(
    claims: ClaimsService, here: Here, clock: Ticking
) -> None:
    guard = claims.guard
    assert guard.holder(here.id("feat-a")) is None
    guard.check(here.id("feat-a"), agent="one")
    held = claims.claim("feat-a", agent="one", lease=60)
    with pytest.raises(Conflict, match="held by one"):
        guard.check(here.id("feat-a"), agent="two")
    clock.ahead += 2 * MINUTE
    assert guard.holder(here.id("feat-a")) is None
    guard.check(here.id("feat-a"), agent="two")
    with pytest.raises(Conflict, match="expired"):
        guard.check(here.id("feat-a"), agent="one", token=held.token)


def test_release_says_whose_it_is_and_when_there_is_nothing_to_release(claims: ClaimsService) -> None:
    with pytest.raises(NotFound, match="nobody holds feat-a"):
        claims.release("feat-a", agent="one")
    held = claims.claim("feat-a", agent="one")
    with pytest.raises(Conflict, match="held by one"):
        claims.release("feat-a", agent="two")
    with pytest.raises(Conflict):
        claims.release("feat-a", agent="one", token=held.token + 1)
    ended = claims.release("feat-a", agent="one", token=held.token)
    assert (ended.id, ended.ended) == (held.id, "released")


def test_a_takeover_is_recorded_with_its_reason_and_its_victim_hears_it(
    claims: ClaimsService, here: Here
) -> None:
    victim = claims.claim("feat-a", agent="one")
    with pytest.raises(InvalidInput, match="reason"):
        claims.take("feat-a", agent="two", reason=" ")
    claims.take("feat-a", agent="two", reason="one is stuck")
    with pytest.raises(Conflict, match=r"two took it over at .*: one is stuck"):
        claims.beat(victim.id)
    new, old = claims.list("feat-a", all=True)
    assert (old.ended, old.reason, new.agent, new.ended) == ("taken", "one is stuck", "two", "")
    assert here.events()[2:] == ["claim.taken", "worktree.claimed", "task.assigned"]


def test_a_beat_keeps_it_and_is_refused_once_it_is_lost(claims: ClaimsService, clock: Ticking) -> None:
    held = claims.claim("feat-a", agent="one", lease=60)
    for _ in range(5):
        clock.ahead += MINUTE // 2
        assert claims.beat(held.id).token == held.token
    clock.ahead += 2 * MINUTE
    assert claims.beat(held.id).id == held.id, "late, and nobody else came"
    clock.ahead += 2 * MINUTE
    claims.claim("feat-a", agent="two")
    with pytest.raises(Conflict, match=r"expired at .*, and two has it now"):
        claims.beat(held.id)
    with pytest.raises(NotFound):
        claims.beat(new_id())


def test_sweeping_says_when_it_is_due_again(store: Store, claims: ClaimsService, clock: Ticking) -> None:
    """Of a store of several daemons no later than that: another one may be killed before it sweeps."""
    assert claims.desk.sweep() == (rules.LOOK_IDLE if store.shared else None)
    claims.claim("feat-a", agent="one", lease=600)
    claims.claim("feat-b", agent="one", lease=6000)
    due = claims.desk.sweep()
    assert due is not None
    assert due == rules.LOOK_IDLE if store.shared else 550 < due <= 600
    clock.ahead += 20 * MINUTE
    due = claims.desk.sweep()
    assert due is not None
    assert due == rules.LOOK_IDLE if store.shared else 4000 < due <= 4800
    assert [claim.worktree for claim in claims.list()] == ["feat-b"]


# PostgreSQL's clock is its own, and nobody's here moves a lease: tests/integration/storage/test_waking.py
@pytest.mark.parametrize("reopen", ["sqlite"], indirect=True)
@pytest.mark.parametrize("by", [-3600_000_000, 3600_000_000, -30_000_000, 30_000_000])
def test_a_clock_that_is_set_neither_takes_a_claim_away_nor_makes_it_last(
    store: Store, clock: Ticking, by: int
) -> None:
    passed = [0]
    here = Here(store, clock, steady=lambda: now_us() + passed[0])
    claims = here.service
    held = claims.claim("feat-a", agent="one", lease=60)
    waits = claims.queue("feat-a", agent="two", seconds=0)
    clock.ahead += by  # the clock is set; no time goes by
    with pytest.raises(Conflict, match="held by one"):
        claims.claim("feat-a", agent="three")
    assert claims.check("feat-a", agent="one", token=held.token, cwd="/") is not None
    assert claims.queue("feat-a", agent="two", seconds=0, ticket=waits.ticket).ahead == 0
    clock.ahead += MINUTE + 1
    passed[0] += MINUTE + 1  # now it does
    assert claims.claim("feat-a", agent="three").token == 2


def test_a_clock_put_back_while_nobody_looked_does_not_make_a_claim_last(
    reopen: Reopen, clock: Ticking
) -> None:
    with reopen() as store:
        here = Here(store, clock)
        here.service.claim("feat-a", agent="one", lease=60)
    clock.ahead -= 24 * 60 * MINUTE
    with reopen() as store:
        claims = ClaimsService(store, here.find, host="h", steady=clock)
        due = claims.desk.sweep()
        assert due is not None
        assert due <= 60
        clock.ahead += MINUTE + 1
        assert claims.claim("feat-a", agent="two").token == 2


def test_after_a_restart_the_holder_that_lives_is_heard_first(reopen: Reopen, clock: Ticking) -> None:
    with reopen() as store:
        here = Here(store, clock)
        here.service.claim("feat-a", agent="lives", lease=60, pid=1)
        here.service.claim("feat-b", agent="dead", lease=60, pid=2)
    clock.ahead += 10 * MINUTE
    with reopen() as store:
        claims = ClaimsService(store, here.find, host="h", steady=clock, alive=lambda pid: pid == 1)
        claims.desk.recover()
        claims.desk.sweep()
        assert [claim.agent for claim in claims.list()] == ["lives"]


def test_a_worktree_that_is_gone_cannot_be_held(claims: ClaimsService, here: Here) -> None:
    claims.claim("feat-a", agent="one")
    waits = claims.queue("feat-a", agent="two", seconds=0)
    here.store.write(lambda tx: tx.run("worktree.gone", id=here.id("feat-a"), at=tx.now()))
    claims.desk.sweep()
    assert claims.list() == ()
    assert waits.claim is None
    with pytest.raises(Conflict):
        claims.claim("feat-a", agent="three")


def test_the_same_request_twice_is_one_claim(claims: ClaimsService) -> None:
    request = new_id()
    first = claims.claim("feat-a", agent="one", request=request)
    claims.release("feat-a", agent="one")
    assert claims.claim("feat-a", agent="one", request=request) == first
    assert claims.list("feat-a") == ()


@pytest.mark.parametrize("wrong", [-1, 2**63, -(2**63) - 1, 10**30])
def test_a_token_that_was_never_given_out_holds_nothing(
    claims: ClaimsService, here: Here, wrong: int
) -> None:
    for held in (False, True):
        if held:
            claims.claim("feat-a", agent="one")
        for ask in (claims.release, claims.renew, claims.check):
            with pytest.raises(Conflict, match="does not hold"):
                ask("feat-a", agent="one", token=wrong, cwd="/")
        with pytest.raises(Conflict, match="does not hold"):
            claims.guard.check(here.id("feat-a"), agent="one", token=wrong)
    assert [claim.token for claim in claims.list()] == [1]


@pytest.mark.parametrize("wrong", [-1, 2**31, 2**63, 10**30])
def test_a_process_that_cannot_be_is_refused(claims: ClaimsService, wrong: int) -> None:
    with pytest.raises(InvalidInput, match="no process"):
        claims.claim("feat-a", agent="one", pid=wrong)
    with pytest.raises(InvalidInput, match="no process"):
        claims.queue("feat-a", agent="one", pid=wrong, seconds=0)


@pytest.mark.parametrize("name", ["\0", "\ud800", "feat-a\n", "-", "x" * 5000])
def test_a_name_that_cannot_be_is_not_found(claims: ClaimsService, name: str, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    for cwd in ("/", str(tmp_path)):
        for ask in (claims.claim, claims.check, claims.release):
            with pytest.raises(NotFound):
                ask(name, agent="one", cwd=cwd)


@pytest.mark.parametrize("agent", ["\0", "\x7f", "\ud800", "x" * 201, " \n ", "a\x1b[2Jb"])
def test_an_agent_that_cannot_be_shown_is_refused(claims: ClaimsService, agent: str) -> None:
    with pytest.raises(InvalidInput, match="agent"):
        claims.claim("feat-a", agent=agent)


@pytest.mark.parametrize("agent", ["-", "--json", "'; DROP TABLE claims;--", "a\u202eb", "é", "x" * 200])
def test_any_other_agent_is_one(claims: ClaimsService, agent: str) -> None:
    assert claims.claim("feat-a", agent=agent).agent == agent
    with pytest.raises(Conflict):
        claims.claim("feat-a", agent=f"{agent[:-1]}!")
    assert claims.release("feat-a", agent=agent).agent == agent


@pytest.mark.parametrize("wrong", [-1, 0.5, 8 * 86_400, 1e308, 5e-324, float("nan"), float("inf")])
def test_a_lease_that_is_none_is_refused(claims: ClaimsService, wrong: float) -> None:
    with pytest.raises(InvalidInput, match="lease"):
        claims.claim("feat-a", agent="one", lease=wrong)
    with pytest.raises(InvalidInput):
        claims.claim("feat-a", agent="a\x1bb")
    with pytest.raises(InvalidInput):
        claims.queue("feat-a", agent="one", ticket="no ticket")
    assert claims.list() == ()
