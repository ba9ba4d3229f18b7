"""A claim whose answer is lost, that never arrived, or arrives too late: it is done once, or it is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, cast

import pytest

from tests.contract.claiming import make_worktrees
from tests.integration.storage.claims import Counting, Deaf, Worktrees, rows, service
from tests.integration.storage.conftest import at
from zdriver.claims.ledger import Outcome
from zdriver.core.errors import Unavailable
from zdriver.core.ids import new_id
from zdriver.storage.postgres.calling import Call
from zdriver.storage.postgres.store import PostgresStore
from zdriver.storage.postgres.watch import Session
from zdriver.testing import until
from zdriver.testing.servers import PostgreSql, Proxy, scratch


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    with Proxy(database_url) as between:
        yield between


@pytest.mark.parametrize("request_id", ["r", ""])
def test_what_loses_its_answer_is_done_once(
    known: Worktrees, proxy: Proxy, database_url: str, request_id: str
) -> None:
    """Found, or by a unit where a server that is slow had not begun with it yet."""
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
        assert store.once + store.units == 2
    types = [row[0] for row in rows(database_url, "SELECT type FROM events ORDER BY sequence")]
    assert types == ["worktree.claimed", "task.assigned", "worktree.released"]


@pytest.mark.parametrize("request_id", ["r", ""])
def test_what_did_not_arrive_is_done_by_a_unit(known: Worktrees, proxy: Proxy, request_id: str) -> None:
    with Deaf(at(proxy.url)) as store:  # else it may be the listener whose connection is cut
        claims = service(store, known)
        proxy.cut_after(10)
        held = claims.claim("feat-a", agent="one", request=request_id, cwd="/")
        assert (held.token, store.once, store.units) == (1, 0, 1)
        assert claims.list("feat-a") == (held,)
        if request_id:
            assert claims.claim("feat-a", agent="one", request=request_id, cwd="/") == held


def call(known: Worktrees) -> Call[Outcome]:
    """Of a claim by the agent `one`, with the request `r`."""
    given = {
        "worktree_id": known["feat-a"][1].id, "top": "", "name": "", "host": "h", "agent": "one", "pid": 0,
        "session": "", "lease": 60_000_000, "id": new_id(), "event": new_id(), "task": "",
    }  # fmt: skip
    return Call(
        "claim.at_once", given, address=at("postgresql://nobody@/none"), request="r", digest="d",
        result=Outcome, sinks=(), clock=None,
    )  # fmt: skip


def test_an_answer_that_is_lost_is_found(store: Counting, known: Worktrees) -> None:
    lost = call(known)
    with Pair(store) as (old, new):
        answer = lost.once(old)
        assert answer is not None
        assert lost.settled(new, 0) == answer
    assert service(store, known).list("feat-a", cwd="/") == (answer.claim,)


def test_what_arrives_after_it_was_given_up_does_nothing(store: Counting, known: Worktrees) -> None:
    """It lay in a network that hung, while the caller asked elsewhere and was told that nothing was done."""
    late = call(known)
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
