"""What was said is found again, and what is forgotten is not, on every engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.contract.conftest import Reopen, Ticking
from tests.contract.contexts import HERE, contexts_of
from tests.contract.units import whole_log
from zdriver.context.model import Place
from zdriver.context.service import ContextService
from zdriver.core.errors import InvalidInput, NotFound
from zdriver.events.envelope import unseal
from zdriver.storage.port import Store


def test_history_finds_words_in_any_form(contexts: ContextService) -> None:
    texts = ["Fix user-auth in src/api.ts", "Café opening", "数据库 重构", "Straße", "naïve résumé"]
    for text in texts:
        contexts.record_milestone(text, place=HERE, artifacts=("docs/plan.md",) if text == "Straße" else ())

    def found(query: str) -> list[str]:
        return [entry.text for entry in contexts.history(query)]

    for query in ("user-auth", "API", "src/api.ts", "ap", "api fix", "AUTH us"):
        assert found(query) == [texts[0]], query
    assert found("cafe") == found("CAFÉ op") == [texts[1]]
    assert found("数据") == found("库") == found("重构 数据库") == [texts[2]]
    assert found("strasse") == found("plan.md") == [texts[3]]
    assert found("resume") == [texts[4]]
    for query in ("apifix", "fi api x", '"', "* OR", "!!!", "NEAR(", "数库"):
        assert found(query) == [], query
    assert found("  ") == found("") == texts[::-1]


def test_history_is_paged_newest_first(contexts: ContextService) -> None:
    for i in range(25):
        contexts.record_milestone(f"step {i}", place=HERE)
    everything = [entry.text for entry in contexts.history(limit=100)]
    assert everything == [f"step {i}" for i in reversed(range(25))]
    for query in ("", "step"):
        paged, before = [], ""
        while page := contexts.history(query, limit=7, before=before):
            paged += [entry.text for entry in page]
            before = page[-1].id
        assert paged == everything
    with pytest.raises(NotFound):
        contexts.history(before="nothing")
    with pytest.raises(InvalidInput):
        contexts.history(limit=0)


def test_history_by_time_context_and_repo(reopen: Reopen, clock: Ticking) -> None:
    with reopen() as store:
        contexts = contexts_of(store)
        old = contexts.set_intent("old one", place=Place(cwd="/w/a"))
        clock.ahead = 3600_000_000
        new = contexts.set_intent("new one", place=Place(cwd="/w/ab"))
        since = datetime.now(UTC) + timedelta(minutes=30)
        for query in ("", "one"):
            assert [entry.id for entry in contexts.history(query, since=since)] == [new.id]
            naive = since.replace(tzinfo=None)
            assert [entry.id for entry in contexts.history(query, since=naive)] == [new.id]
            by_id = contexts.history(query, context=old.context.id[-9:])
            assert [entry.id for entry in by_id] == [old.id]
            assert [entry.id for entry in contexts.history(query, repo="/w/a")] == [old.id]
            assert [entry.id for entry in contexts.history(query, repo="/w/")] == [new.id, old.id]
            assert len(contexts.history(query, repo="/")) == 2
        entry = contexts.history(repo="/w/a")[0]
        assert (entry.type, entry.text, entry.at, entry.context) == (
            "intent",
            "old one",
            old.set_at,
            old.context,
        )


def test_forgetting_an_intent_leaves_the_rest(contexts: ContextService, store: Store) -> None:
    secret = contexts.set_intent("the secret aim", place=HERE, request="r")
    milestone = contexts.record_milestone("a step", place=HERE)
    gone = contexts.forget((secret.id[-8:],))
    assert (gone.intents, gone.milestones) == (1, 0)
    assert contexts.intent(place=HERE) is None
    assert contexts.history("secret") == []
    kept = contexts.milestones(place=HERE)
    assert [(one.id, one.intent_id) for one in kept] == [(milestone.id, None)]
    rows = whole_log(store)
    assert not any(b"secret" in row["envelope"] for row in rows)
    assert unseal(rows[0]["envelope"]).payload["forgotten"] is True
    with pytest.raises(NotFound):
        contexts.forget((secret.id,))


def test_forgetting_a_context_takes_all_of_it(contexts: ContextService, store: Store) -> None:
    intent = contexts.set_intent("first aim", place=HERE)
    contexts.set_intent("second aim", place=HERE)
    contexts.record_milestone("a step", place=HERE)
    other = contexts.set_intent("other aim", place=Place(cwd="/w/two"))
    gone = contexts.forget((intent.context.id,))
    assert (gone.intents, gone.milestones) == (2, 1)
    assert [entry.id for entry in contexts.history()] == [other.id]
    assert contexts.contexts() == [other.context]
    with pytest.raises(NotFound):
        contexts.history(context=intent.context.id)
    assert contexts.set_intent("anew", place=HERE).context.id != intent.context.id


def test_forgetting_is_all_or_nothing(contexts: ContextService) -> None:
    intent = contexts.set_intent("kept", place=HERE)
    for unknown in ("ffffffff", "", "zz", "%%%%"):
        with pytest.raises(NotFound):
            contexts.forget((intent.id, unknown))
    with pytest.raises(InvalidInput):
        contexts.forget(())
    with pytest.raises(InvalidInput):
        contexts.forget((intent.id, intent.id[-3:]))
    assert contexts.intent(place=HERE) == intent
    assert contexts.forget((intent.id, intent.id, intent.context.id)).intents == 1


def test_forget_again_with_the_same_request(contexts: ContextService) -> None:
    intent = contexts.set_intent("gone", place=HERE)
    first = contexts.forget((intent.id,), request="f")
    assert contexts.forget((intent.id,), request="f") == first
