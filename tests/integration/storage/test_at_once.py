"""A claim and its release by one statement: the same as by a unit, once, whatever is in the way."""

from __future__ import annotations

import json
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from tests.contract.claiming import make_worktrees
from tests.integration.storage.claims import ByUnits, Counting, Worktrees, rows, service
from tests.integration.storage.conftest import Opens, at
from zdriver.claims.ledger import Outcome
from zdriver.claims.model import Claim
from zdriver.core.clock import now_us, to_us
from zdriver.core.errors import Conflict, NotFound
from zdriver.core.ids import new_id
from zdriver.storage.port import Transaction
from zdriver.storage.postgres.keys import lock_key
from zdriver.storage.postgres.store import PostgresStore

# ---- the same ---------------------------------------------------------------------------


def events(url: str) -> list[dict[str, Any]]:
    found = rows(
        url,
        "SELECT e.type, e.aggregate_seq, e.subject, e.envelope, e.id, e.at, array_agg(d.sink ORDER BY d.sink)"
        " FROM events e JOIN deliveries d USING (sequence) GROUP BY e.sequence ORDER BY e.sequence",
    )
    told = []
    for type_, number, subject, envelope, id_, moment, sinks in found:
        sealed = json.loads(envelope)
        assert (sealed["event_id"], sealed["event_type"]) == (id_, type_)
        assert sealed["payload"]["id"] == subject
        assert to_us(datetime.fromisoformat(sealed["timestamp"])) == moment
        told.append({**sealed, "number": number, "sinks": sinks})
    return told


#: What differs between any two of them.
OWN = {"id", "event_id", "timestamp", "claim", "worktree_id", "claimed_at", "expires_at", "ended_at"}


def alike(found: object) -> object:
    if isinstance(found, dict):
        return {key: alike(value) for key, value in found.items() if key not in OWN or value in (None, "")}
    return [alike(each) for each in found] if isinstance(found, list) else found


@pytest.mark.parametrize(
    "given",
    [
        {"agent": "claude-1"},
        {"agent": "human:zoë", "lease": 1.5, "session": 'a "quoted" \\ name', "pid": 4711},
        {"agent": "'; DROP TABLE claims;-- \u202e é 🐢", "lease": 604_800.0, "session": "{0}%s:name"},
    ],
)
def test_at_once_is_as_by_a_unit(
    store: Counting, known: Worktrees, database_url: str, given: dict[str, Any]
) -> None:
    told: list[object] = []
    kept: list[object] = []
    with ByUnits(at(database_url), sinks=("audit", "relay")) as slow:
        for each in (store, slow):
            claims = service(each, known)
            name = "feat-a" if each is store else "feat-b"
            claims.claim(name, agent=given["agent"], cwd="/")  # that there is one before
            claims.release(name, agent=given["agent"], cwd="/")
            held = claims.claim(name, cwd="/", request=new_id(), **given)
            assert held.expires_at.timestamp() - held.claimed_at.timestamp() == pytest.approx(held.lease)
            assert claims.check(name, agent=given["agent"], token=held.token, cwd="/") == held
            ended = claims.release(name, agent=given["agent"], token=held.token, cwd="/", request=new_id())
            told.append([alike(msgspec.to_builtins(claim)) for claim in (held, ended)])
            assert ended == msgspec.structs.replace(held, ended="released", ended_at=ended.ended_at)
            assert ended.ended_at is not None
            assert held.claimed_at < ended.ended_at
            with pytest.raises(NotFound, match="nobody holds"):
                claims.release(name, agent=given["agent"], cwd="/")
    assert (store.once, store.units) == (4, 1)
    mine, by_unit = (json.loads(json.dumps(each).replace("feat-b", "feat-a")) for each in told)
    assert mine == by_unit
    whole = [alike(each) for each in json.loads(json.dumps(events(database_url)).replace("feat-b", "feat-a"))]
    assert len(whole) % 2 == 0
    assert whole[: len(whole) // 2] == whole[len(whole) // 2 :]
    for (result,) in rows(database_url, "SELECT result FROM requests WHERE digest <> '' ORDER BY at"):
        kept.append(msgspec.json.decode(result, type=Outcome).claim)
    assert len(kept) == 4
    history = rows(
        database_url, "SELECT agent, token, host, pid, session, lease, ended, reason FROM claims ORDER BY id"
    )
    assert history[:2] == history[2:]
    assert rows(database_url, "SELECT token FROM fences") == [(2,), (2,)]


def test_a_request_that_comes_again_gets_the_answer_that_it_got(
    store: Counting, known: Worktrees, database_url: str
) -> None:
    claims = service(store, known)
    first, second = new_id(), new_id()
    held = claims.claim("feat-a", agent="one", request=first, cwd="/")
    ended = claims.release("feat-a", agent="one", request=second, cwd="/")
    assert store.units == 0
    assert claims.claim("feat-a", agent="one", request=first, cwd="/") == held
    assert claims.release("feat-a", agent="one", request=second, cwd="/") == ended
    with pytest.raises(Conflict, match="something else"):
        claims.claim("feat-a", agent="two", request=first, cwd="/")
    assert len(rows(database_url, "SELECT 1 FROM claims")) == 1


def test_locks_have_the_same_numbers_in_the_database(store: Counting, database_url: str) -> None:
    for name in ("claim:x", "worktree:é", ""):
        assert rows(database_url, f"SELECT lock_key('{name}')") == [(lock_key(name),)]


def test_a_worktree_is_found_beside_that_in_which_one_stands(
    store: Counting, known: Worktrees, database_url: str, tmp_path: Path
) -> None:
    git = tmp_path / "feat-a" / ".git"
    git.parent.mkdir()
    git.write_text("gitdir: elsewhere")
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE worktrees SET path = %s WHERE name = 'feat-a'", (str(git.parent),))
    held = service(store, {}).claim("feat-b", agent="one", cwd=str(git.parent))
    assert (held.worktree_id, store.once, store.units) == (known["feat-b"][1].id, 1, 0)
    with pytest.raises(NotFound):
        service(store, {}, host="another").claim("feat-b", agent="one", cwd=str(git.parent))


# ---- what is not plain ------------------------------------------------------------------


def at_once(store: PostgresStore, worktree: str, agent: str) -> Outcome | None:
    given: dict[str, Any] = {
        "worktree_id": worktree, "top": "", "name": "", "host": "h", "id": new_id(), "agent": agent,
        "pid": 0, "session": "", "lease": 60_000_000, "event": new_id(), "task": "",
    }  # fmt: skip
    return store.at_once("claim.at_once", result=Outcome, **given)


def test_what_is_held_on_another_machine_is_held(
    store: Counting, known: Worktrees, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE repos SET host = 'h2', identity = 'same'")
    other = make_worktrees(store, "feat-a")
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE repos SET identity = 'same'")
    here, there = service(store, known, host="h2"), service(store, other)
    assert here.claim("feat-a", agent="one", cwd="/").token == 1
    assert at_once(store, other["feat-a"][1].id, "two") is None
    with pytest.raises(Conflict, match="held by one"):
        there.claim("feat-a", agent="two", cwd="/")
    here.release("feat-a", agent="one", cwd="/")
    store.units = 0
    assert there.claim("feat-a", agent="two", cwd="/").token == 2
    assert store.units == 0


def test_who_waits_comes_first(store: Counting, known: Worktrees, database_url: str) -> None:
    worktree = known["feat-a"][1].id
    later = now_us() + 60_000_000
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO claim_waiters (id, worktree_id, agent, since, until) VALUES (%s, %s, 'one', 0, %s)",
            (new_id(), worktree, later),
        )
    assert at_once(store, worktree, "two") is None
    with pytest.raises(Conflict, match="held by one"):
        service(store, known).claim("feat-a", agent="two", cwd="/")


def test_whose_places_nobody_keeps_any_more_is_in_nobodys_way(
    store: Counting, known: Worktrees, database_url: str
) -> None:
    """But who waited itself gives up its places with the claim: that is more than the plain case."""
    worktree = known["feat-a"][1].id
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO claim_waiters (id, worktree_id, agent, since, until) VALUES (%s, %s, 'one', 0, 1)",
            (new_id(), worktree),
        )
    assert at_once(store, worktree, "one") is None
    assert at_once(store, worktree, "two") is not None


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE claims SET expires_at = claimed_at",  # it ran out, and was taken by nobody yet
        "UPDATE claims SET expires_at = expires_at + 3600000000",  # the server's clock was put back
        "UPDATE worktrees SET removed_at = 1, state = 'removed'",
        "UPDATE claims SET agent = 'two'",
        "UPDATE claims SET token = 7",
    ],
)
def test_a_claim_that_does_not_simply_stand_is_not_released_at_once(
    store: Counting, known: Worktrees, database_url: str, change: str
) -> None:
    held = service(store, known).claim("feat-a", agent="one", cwd="/")
    with psycopg.connect(database_url) as connection:
        connection.execute(change.encode())
    given = {"worktree_id": held.worktree_id, "top": "", "name": "", "host": "h", "event": new_id()}
    asked = {"agent": "one", "token": held.token}
    assert store.at_once("claim.release_at_once", result=Outcome, **given, **asked) is None
    assert rows(database_url, "SELECT count(*) FROM claims WHERE ended_at IS NULL") == [(1,)]


@pytest.mark.parametrize("state", ["creating", "removing"])
def test_a_worktree_that_is_not_there_yet_or_goes_cannot_be_claimed(
    store: Counting, known: Worktrees, database_url: str, state: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE worktrees SET state = %s", (state,))
    assert at_once(store, known["feat-a"][1].id, "one") is None


# ---- somebody in the way ----------------------------------------------------------------


def held_by(other: PostgresStore, name: str, go_on: threading.Event) -> threading.Thread:
    """Somebody is at it until `go_on`."""
    there = threading.Event()

    def unit(_tx: Transaction) -> None:
        there.set()
        assert go_on.wait(30)

    thread = threading.Thread(target=lambda: other.write(unit, lock=[name]))
    thread.start()
    assert there.wait(30)
    return thread


@pytest.mark.parametrize("lock", ["claim", "worktree"])
def test_nobody_is_waited_for(store: Counting, known: Worktrees, opens: Opens, lock: str) -> None:
    worktree = known["feat-a"][1].id
    go_on = threading.Event()
    thread = held_by(opens(), f"{lock}:{worktree}", go_on)
    got: list[Claim] = []
    asking = threading.Thread(
        target=lambda: got.append(service(store, known).claim("feat-a", agent="one", cwd="/"))
    )
    try:
        assert at_once(store, worktree, "one") is None
        asking.start()
    finally:
        go_on.set()
    thread.join(60)
    asking.join(60)
    assert [claim.token for claim in got] == [1]
