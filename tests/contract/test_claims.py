"""Who holds a worktree, on every engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.contract.conftest import Ticking
from zdriver.claims import rules
from zdriver.claims.model import Turn
from zdriver.claims.service import ClaimsService
from zdriver.core.clock import now_us, to_datetime
from zdriver.core.errors import Conflict, InvalidInput, NotFound
from zdriver.core.ids import new_id
from zdriver.storage.port import Store, Transaction
from zdriver.testing import until
from zdriver.worktrees.model import Repo, Worktree
from zdriver.worktrees.ports import Guard

MINUTE = 60_000_000


def make_worktrees(store: Store, *names: str) -> dict[str, tuple[Repo, Worktree]]:
    """A repository with these worktrees, as the registry has them."""
    made: dict[str, tuple[Repo, Worktree]] = {}
    repo = Repo(id=new_id(), git_dir="/w/r/.git", trunk="/w/r", container="/w")

    def unit(tx: Transaction) -> None:
        tx.run(
            "worktree.repo_add", id=repo.id, host="h", git_dir=repo.git_dir, trunk=repo.trunk,
            container=repo.container, remote="", default_branch="main", at=tx.now(),
        )  # fmt: skip
        for name in names:
            id_ = new_id()
            tx.run(
                "worktree.add", id=id_, repo_id=repo.id, name=name, type="feat", title=name, branch=name,
                base="main", path=f"/w/{name}", state="ready", step="", made_branch=1, head="", owner="",
                pr_number=None, pr_title="", pr_url="", agent="", at=tx.now(),
            )  # fmt: skip
            made[name] = (
                repo,
                Worktree(
                    id=id_, repo=repo.trunk, name=name, type="feat", title=name, branch=name, base="main",
                    path=f"/w/{name}", state="ready", created_at=to_datetime(0), used_at=to_datetime(0),
                ),
            )  # fmt: skip

    store.write(unit)
    return made


class Here:
    """A service and what it stands on."""

    def __init__(self, store: Store, clock: Ticking, *, steady: Callable[[], int] | None = None) -> None:
        self.store = store
        self.worktrees = make_worktrees(store, "feat-a", "feat-b")
        self.service = ClaimsService(store, self.find, host="h", steady=steady or clock)

    def find(self, name: str = "", cwd: str = "") -> tuple[Repo, Worktree]:
        if name not in self.worktrees:
            raise NotFound(f"no worktree {name}")
        return self.worktrees[name]

    def id(self, name: str) -> str:
        return self.worktrees[name][1].id

    def events(self) -> list[str]:
        found = self.store.read(lambda tx: tx.all("event.after", sequence=0, limit=1000))
        return [row["type"] for row in found]


@pytest.fixture
def here(store: Store, clock: Ticking) -> Here:
    return Here(store, clock)


@pytest.fixture
def claims(here: Here) -> ClaimsService:
    return here.service


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
        thread.join(15)
    assert got == [f"agent-{number}" for number in range(5)]
    assert claims.list("feat-a") == ()


def test_who_is_woken_for_nothing_goes_on_waiting(claims: ClaimsService, here: Here) -> None:
    """As everybody is by a store of several machines whose news were interrupted."""
    claims.claim("feat-a", agent="zero")
    turns: list[Turn] = []
    thread = threading.Thread(target=lambda: turns.append(claims.queue("feat-a", agent="one", lease=60)))
    thread.start()
    until(lambda: _waiting(claims) == 1, what="its place in the queue")
    claims._heard("")
    claims.release("feat-a", agent="zero")
    thread.join(15)
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


def test_sweeping_says_when_it_is_due_again(store: Store, claims: ClaimsService, clock: Ticking) -> None:
    """Of a store of several daemons no later than that: another one may be killed before it sweeps."""
    assert claims.sweep() == (rules.LOOK_IDLE if store.shared else None)
    claims.claim("feat-a", agent="one", lease=60)
    claims.claim("feat-b", agent="one", lease=600)
    due = claims.sweep()
    assert due is not None
    assert due == rules.LOOK_IDLE if store.shared else 55 < due <= 60
    clock.ahead += 2 * MINUTE
    due = claims.sweep()
    assert due is not None
    assert due == rules.LOOK_IDLE if store.shared else 400 < due <= 480
    assert [claim.worktree for claim in claims.list()] == ["feat-b"]


# PostgreSQL's clock is its own, and nobody's here moves a lease: tests/integration/postgresql
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
    reopen: Callable[[], AbstractContextManager[Store]], clock: Ticking
) -> None:
    with reopen() as store:
        here = Here(store, clock)
        here.service.claim("feat-a", agent="one", lease=60)
    clock.ahead -= 24 * 60 * MINUTE
    with reopen() as store:
        claims = ClaimsService(store, here.find, host="h", steady=clock)
        due = claims.sweep()
        assert due is not None
        assert due <= 60
        clock.ahead += MINUTE + 1
        assert claims.claim("feat-a", agent="two").token == 2


def test_after_a_restart_the_holder_that_lives_is_heard_first(
    reopen: Callable[[], AbstractContextManager[Store]], clock: Ticking
) -> None:
    with reopen() as store:
        here = Here(store, clock)
        here.service.claim("feat-a", agent="lives", lease=60, pid=1)
        here.service.claim("feat-b", agent="dead", lease=60, pid=2)
    clock.ahead += 10 * MINUTE
    with reopen() as store:
        claims = ClaimsService(store, here.find, host="h", steady=clock, alive=lambda pid: pid == 1)
        claims.recover()
        claims.sweep()
        assert [claim.agent for claim in claims.list()] == ["lives"]


def test_after_a_restart_who_waited_has_its_place_still(
    reopen: Callable[[], AbstractContextManager[Store]], clock: Ticking
) -> None:
    with reopen() as store:
        here = Here(store, clock)
        here.service.claim("feat-a", agent="zero", lease=3600)
        long_gone = here.service.queue("feat-a", agent="gone", seconds=0)
        clock.ahead += 2 * MINUTE
        first = here.service.queue("feat-a", agent="one", seconds=0)
    clock.ahead += MINUTE  # longer than a place is kept
    with reopen() as store:
        claims = ClaimsService(store, here.find, host="h", steady=clock)
        claims.recover()
        claims.queue("feat-a", agent="two", seconds=0)
        claims.release("feat-a", agent="zero")
        assert claims.queue("feat-a", agent="one", seconds=0, ticket=first.ticket).claim is not None
        assert claims.queue("feat-a", agent="gone", seconds=0, ticket=long_gone.ticket).ahead == 1


def test_a_worktree_that_is_gone_cannot_be_held(claims: ClaimsService, here: Here) -> None:
    claims.claim("feat-a", agent="one")
    waits = claims.queue("feat-a", agent="two", seconds=0)
    here.store.write(lambda tx: tx.run("worktree.gone", id=here.id("feat-a"), at=tx.now()))
    claims.sweep()
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


@pytest.fixture(autouse=True)
def _no_threads_left(reopen: Callable[[], AbstractContextManager[Store]]) -> Iterator[None]:
    before = threading.active_count()
    yield
    until(lambda: threading.active_count() <= before, what="the end of all threads")
