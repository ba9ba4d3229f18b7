"""ContextService against a model of dicts and lists, whatever is done in whatever order."""

from __future__ import annotations

from unittest import TestCase

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from tests.contract.conftest import ENGINES
from zdriver.context.model import Milestone, Place
from zdriver.context.service import ContextService
from zdriver.core.clock import now_us
from zdriver.core.errors import NotFound
from zdriver.core.tokens import index_words, query_words

SESSIONS = ["", "s1", "s2"]
ROOTS = ["/w/a", "/w/b"]
PLACES = [Place(cwd=root, zellij_session=name) for root in ROOTS for name in SESSIONS]

words = st.text("abcé-/.数字 ", min_size=1, max_size=12).filter(lambda text: text.strip() == text and text)
places = st.sampled_from(PLACES)


class Shadow:
    """One context as it should be."""

    def __init__(self, name: str, root: str) -> None:
        self.name, self.root = name, root
        self.id = ""
        self.current: str | None = None  #: id of the intent
        self.milestones: list[str] = []  #: ids, oldest first


@pytest.fixture(autouse=True)
def _servers(request: pytest.FixtureRequest) -> None:
    Contexts.request = request


class Contexts(RuleBasedStateMachine):
    engine = "sqlite"
    request: pytest.FixtureRequest
    entries = Bundle("entries")

    @initialize()
    def begin(self) -> None:
        self.room = ENGINES[self.engine](self.request, now_us)
        self.reopen_store = self.room.__enter__()
        self.open: dict[tuple[str, str], Shadow] = {}
        self.history: list[tuple[str, str]] = []  #: (id, text), in order of writing
        self.requests: dict[str, Milestone] = {}
        self._open_store()

    def _open_store(self) -> None:
        self.store = self.reopen_store().__enter__()
        self.service = ContextService(self.store, host="host", roots=lambda at: at, head=lambda root: None)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.room.__exit__(None, None, None)

    def _shadow(self, place: Place) -> Shadow:
        key = (place.zellij_session, place.cwd)
        return self.open.setdefault(key, Shadow(*key))

    @rule(target=entries, place=places, text=words)
    def set_intent(self, place: Place, text: str) -> object:
        shadow = self._shadow(place)
        made = self.service.set_intent(text, place=place)
        assert shadow.id in ("", made.context.id)
        shadow.id = made.context.id
        texts = dict(self.history)
        if shadow.current is not None and texts[shadow.current] == text:
            assert made.id == shadow.current
            return multiple()
        shadow.current = made.id
        self.history.append((made.id, text))
        return made.id

    @rule(place=places)
    def clear_intent(self, place: Place) -> None:
        shadow = self.open.get((place.zellij_session, place.cwd))
        cleared = self.service.clear_intent(place=place)
        expected = shadow.current if shadow else None
        assert (cleared.id if cleared else None) == expected
        if shadow:
            shadow.current = None

    @rule(target=entries, place=places, text=words)
    def record(self, place: Place, text: str) -> str:
        shadow = self._shadow(place)
        made = self.service.record_milestone(text, place=place)
        assert made.intent_id == shadow.current
        shadow.id = made.context.id
        shadow.milestones.append(made.id)
        self.history.append((made.id, text))
        return made.id

    @rule(place=places)
    def undo(self, place: Place) -> None:
        shadow = self.open.get((place.zellij_session, place.cwd))
        if shadow is None or not shadow.milestones:
            with pytest.raises(NotFound):
                self.service.undo_milestone(place=place)
            return
        undone = self.service.undo_milestone(place=place)
        assert undone.id == shadow.milestones.pop()
        self.history = [each for each in self.history if each[0] != undone.id]

    @rule(place=places, text=words, number=st.integers(0, 3))
    def repeat(self, place: Place, text: str, number: int) -> None:
        """The same request twice: the second time nothing happens."""
        request = f"{number}-{place.cwd}-{place.zellij_session}-{text}"
        if request in self.requests:
            assert self.service.record_milestone(text, place=place, request=request) == self.requests[request]
            return
        shadow = self._shadow(place)
        made = self.service.record_milestone(text, place=place, request=request)
        assert self.service.record_milestone(text, place=place, request=request) == made
        self.requests[request] = made
        shadow.id = made.context.id
        shadow.milestones.append(made.id)
        self.history.append((made.id, text))

    @rule(old=st.sampled_from(SESSIONS[1:]), new=st.sampled_from(SESSIONS[1:]))
    def rebind(self, old: str, new: str) -> None:
        carried = self.service.rebind(old, new)
        expected = []
        for root in ROOTS if old != new else ():
            moved, there = self.open.get((old, root)), self.open.get((new, root))
            if moved is None:
                continue
            del self.open[old, root]
            if there is not None and there.current is not None:
                continue
            if there is not None:
                order = [id_ for id_, _ in self.history]
                moved.milestones = sorted(moved.milestones + there.milestones, key=order.index)
            self.open[new, root] = moved
            expected.append(moved.id)
        assert sorted(context.id for context in carried) == sorted(expected)

    @rule(id_=consumes(entries))
    def forget(self, id_: str) -> None:
        if any(id_ == known for known, _ in self.history):
            gone = self.service.forget((id_,))
            assert gone.intents + gone.milestones == 1
        self.history = [each for each in self.history if each[0] != id_]
        self.requests = {key: made for key, made in self.requests.items() if made.id != id_}
        for shadow in self.open.values():
            shadow.current = None if shadow.current == id_ else shadow.current
            shadow.milestones = [each for each in shadow.milestones if each != id_]

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self._open_store()

    @rule(query=words)
    def search(self, query: str) -> None:
        wanted = query_words(query)

        def matches(text: str) -> bool:
            there = index_words(text)
            return all(word in there for word in wanted[:-1]) and any(
                word.startswith(wanted[-1]) for word in there
            )

        expected = [id_ for id_, text in reversed(self.history) if wanted and matches(text)]
        assert [entry.id for entry in self.service.history(query, limit=1000)] == expected

    @invariant()
    def everything_is_as_it_should_be(self) -> None:
        if not hasattr(self, "store"):
            return
        found = self.service.history(limit=1000)
        assert [(entry.id, entry.text) for entry in found] == self.history[::-1]
        for place in PLACES:
            shadow = self.open.get((place.zellij_session, place.cwd))
            intent = self.service.intent(place=place)
            assert (intent.id if intent else None) == (shadow.current if shadow else None)
            listed = self.service.milestones(place=place, limit=1000)
            assert [one.id for one in listed] == (shadow.milestones[::-1] if shadow else [])
        assert {context.id for context in self.service.contexts()} == {one.id for one in self.open.values()}


def on(name: str) -> type[TestCase]:
    class OnEngine(Contexts):
        engine = name

    made: type[TestCase] = OnEngine.TestCase
    OnEngine.TestCase.settings = settings(
        # Of a server each is some thousand round trips: as many as take the time of SQLite's.
        max_examples=40 if name == "sqlite" else 12,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    return made


globals().update({f"TestContexts_{name}": on(name) for name in ENGINES})
