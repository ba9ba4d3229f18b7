"""A Zellij session is renamed while its shells write and ask, by either name, on every engine."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from tests.contract.contexts import current
from zdriver.context.model import Place
from zdriver.context.service import ContextService
from zdriver.testing import until

ROUNDS, SHELLS = 20, 4


class Session:
    """Renamed as the daemon does it; a shell may have any of its names."""

    def __init__(self, contexts: ContextService, name: str) -> None:
        self.contexts = contexts
        self.name = name
        contexts.names.now = lambda _name: self.name

    def rename(self, name: str) -> None:
        with self.contexts.names.changing():
            self.contexts.renamed(self.name, name)
            self.name = name


def test_whoever_asks_and_writes_meanwhile_finds_one_context(contexts: ContextService) -> None:
    session = Session(contexts, "name-0")
    first = contexts.set_intent("begun", place=Place(cwd="/w/a", zellij_session="name-0"))
    over = threading.Event()

    def shell(number: int) -> int:
        """Sets intents until the last renaming; how many."""
        done = 0
        while not over.is_set():
            place = Place(cwd="/w/a", zellij_session=f"name-{done % ROUNDS}")
            assert contexts.set_intent(f"{number}-{done}", place=place).context.id == first.context.id
            assert current(contexts, place).context.id == first.context.id
            done += 1
        return done

    with ThreadPoolExecutor(SHELLS) as pool:
        shells = [pool.submit(shell, number) for number in range(SHELLS)]
        try:
            for number in range(1, ROUNDS + 1):
                session.rename(f"name-{number}")
        finally:
            over.set()
        written = sum(each.result() for each in shells)
    assert written
    assert [each.id for each in contexts.contexts()] == [first.context.id]
    assert len(contexts.history(limit=written + 2)) == written + 1


def test_a_request_under_way_is_waited_for_and_the_next_one_waits(contexts: ContextService) -> None:
    steps: list[str] = []
    asked, came, answer = threading.Event(), threading.Event(), threading.Event()

    def renaming() -> None:
        with contexts.names.changing():
            steps.append("renamed")

    def asking() -> None:
        came.set()
        with contexts.names.steady():
            steps.append("asked")

    def long_request() -> None:
        with contexts.names.steady():
            asked.set()
            answer.wait()
            steps.append("answered")

    with ThreadPoolExecutor(3) as pool:
        pool.submit(long_request)
        asked.wait()
        rename = pool.submit(renaming)
        try:
            until(lambda: contexts.names._changing, what="the renaming to wait for it")
            late = pool.submit(asking)
            came.wait()
        finally:
            answer.set()
        rename.result()
        late.result()
    assert steps == ["answered", "renamed", "asked"]
