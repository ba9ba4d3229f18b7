"""A claim and its release by one statement: the same as by a unit, once, whatever is in the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any, cast

import msgspec
import pytest

from tests.contract.claiming import make_worktrees
from tests.integration.storage.claims import ByUnits, Counting, Worktrees, rows, service
from tests.integration.storage.conftest import Opens, at
from zdriver.claims.ledger import Outcome
from zdriver.claims.model import Claim
from zdriver.core.clock import to_us
from zdriver.core.errors import Conflict, NotFound, Unavailable
from zdriver.core.ids import new_id
from zdriver.storage.port import Transaction
from zdriver.storage.postgres.calling import Call
from zdriver.storage.postgres.keys import lock_key
from zdriver.storage.postgres.store import PostgresStore
from zdriver.storage.postgres.watch import Session
from zdriver.testing import until
from zdriver.testing.servers import PostgreSql, Proxy, scratch

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
OWN = {
    "id",
    "event_id",
    "timestamp",
    "claim",
    "worktree_id",
    "claimed_at",
    "expires_at",
    "ended_at",
    "subject",
}


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


# ---- somebody in the way ----------------------------------------------------------------


def held_by(other: PostgresStore, name: str, go_on: threading.Event) -> threading.Thread:
    """Somebody is at it until `go_on`."""
    there = threading.Event()

    def unit(_tx: Transaction) -> None:
        there.set()
        assert go_on.wait(30)

    thread = threading.Thread(target=lambda: other.write(unit, lock=[name]))
    thread.start()
    assert there.wait(10)
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
        given = {"worktree_id": worktree, "top": "", "name": "", "host": "h", "id": new_id(), "agent": "one"}
        more = {"pid": None, "session": "", "lease": 1_000_000, "event": new_id(), "task": ""}
        assert store.at_once("claim.at_once", result=Outcome, **given, **more) is None
        asking.start()
    finally:
        go_on.set()
    thread.join(10)
    asking.join(10)
    assert [claim.token for claim in got] == [1]


# ---- a connection that is lost ----------------------------------------------------------


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    with Proxy(database_url) as between:
        yield between


@pytest.mark.parametrize("request_id", ["r", ""])
def test_an_answer_that_is_lost_is_found(
    known: Worktrees, proxy: Proxy, database_url: str, request_id: str
) -> None:
    with Counting(at(proxy.url)) as store:
        claims = service(store, known)
        proxy.lose_answer(b"agent-lost")
        held = claims.claim("feat-a", agent="agent-lost", request=request_id, cwd="/")
        assert proxy.armed == 0
        assert claims.list("feat-a") == (held,)
        proxy.lose_answer(b"agent-lost")
        ended = claims.release("feat-a", agent="agent-lost", request=request_id and "s", cwd="/")
        assert proxy.armed == 0
        assert (ended.id, ended.ended) == (held.id, "released")
        assert (store.once, store.units) == (2, 0)
    types = [row[0] for row in rows(database_url, "SELECT type FROM events ORDER BY sequence")]
    assert types == ["worktree.claimed", "task.assigned", "worktree.released"]


@pytest.mark.parametrize("request_id", ["r", ""])
def test_what_did_not_arrive_is_done_by_a_unit(known: Worktrees, proxy: Proxy, request_id: str) -> None:
    with Counting(at(proxy.url)) as store:
        claims = service(store, known)
        proxy.cut_after(10)
        held = claims.claim("feat-a", agent="one", request=request_id, cwd="/")
        assert (held.token, store.once, store.units) == (1, 0, 1)
        assert claims.list("feat-a") == (held,)
        if request_id:
            assert claims.claim("feat-a", agent="one", request=request_id, cwd="/") == held


def test_what_arrives_after_it_was_given_up_does_nothing(
    store: Counting, known: Worktrees, database_url: str, opens: Opens
) -> None:
    """It lay in a network that hung, while the caller asked elsewhere and was told that nothing was done."""
    given = {"worktree_id": known["feat-a"][1].id, "top": "", "name": "", "host": "h", "agent": "one"}
    more = {"pid": None, "session": "", "lease": 60_000_000, "event": new_id(), "task": "", "id": new_id()}
    where = at(database_url)
    late: Call[Outcome] = Call(
        "claim.at_once", {**given, **more}, address=where, request="r", digest="d", result=Outcome,
        sinks=(), clock=None,
    )  # fmt: skip
    with Pair(store) as (old, new):
        assert late.settled(new, 0) is None
        assert late.once(old) is None
    claims = service(store, known)
    assert claims.list("feat-a") == ()
    held = claims.claim("feat-a", agent="one", request="r", cwd="/")
    assert claims.claim("feat-a", agent="one", request="r", cwd="/") == held
    with Pair(store) as (old, _):
        claims.release("feat-a", agent="one", cwd="/")
        assert late.once(old) is None
    assert claims.list("feat-a") == ()


class Pair:
    """Two sessions of a store."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store

    def __enter__(self) -> tuple[Session, Session]:
        opens = cast(Any, self._store)._open
        self._both = (opens(5.0), opens(5.0))
        return self._both

    def __exit__(self, *_exception: object) -> None:
        for each in self._both:
            each.connection.close()


def test_a_server_that_is_gone_is_said_and_nothing_is_lost_by_it() -> None:
    with scratch("once") as folder, PostgreSql(folder) as server, ExitStack() as stack:
        store = stack.enter_context(PostgresStore(at(server.database("one"))))
        claims = service(store, make_worktrees(store, "feat-a"))
        claims.claim("feat-a", agent="one", cwd="/")
        server.kill()
        with pytest.raises(Unavailable, match=r"^storage\.url: "):
            claims.release("feat-a", agent="one", cwd="/")
        server.start()
        until(lambda: answers(store), what="an answer")
        assert claims.release("feat-a", agent="one", cwd="/").token == 1
        assert claims.claim("feat-a", agent="one", cwd="/").token == 2


def answers(store: PostgresStore) -> bool:
    try:
        return store.read(lambda tx: tx.one("meta.get", key="store_id")) is not None
    except Unavailable:
        return False
