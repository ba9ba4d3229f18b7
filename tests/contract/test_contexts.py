"""Intents and milestones, and the contexts they belong to, on every engine."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.contract.contexts import HERE, current
from tests.contract.units import whole_log
from zdriver.context.model import Context, Place
from zdriver.context.service import ContextService
from zdriver.core.errors import Ambiguous, Conflict, InvalidInput, NotFound
from zdriver.storage.port import Store, Transaction


def events(store: Store) -> list[tuple[str, str]]:
    return [(row["type"], row["aggregate"]) for row in whole_log(store)]


def zellij(store: Store, name: str, root: str) -> None:
    """The plugin was heard from: a Zellij session has a root."""

    def unit(tx: Transaction) -> None:
        tx.run(
            "restore.server_opened",
            key=f"{name}/{root}",
            host="host",
            name=name,
            pid=1,
            root=root,
            at=tx.now(),
        )

    store.write(unit)


# ---- intents ----------------------------------------------------------------------------------


def test_an_intent_is_set_shown_replaced_and_cleared(contexts: ContextService, store: Store) -> None:
    assert contexts.intent(place=HERE) is None
    assert contexts.clear_intent(place=HERE) is None
    first = contexts.set_intent("  Refactor the database layer\n", place=HERE)
    assert first.text == "Refactor the database layer"
    assert first.set_at.tzinfo is UTC
    assert abs(first.set_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert contexts.intent(place=HERE) == first
    second = contexts.set_intent("Write the tests", place=HERE, source="agent")
    assert second.context == first.context
    assert contexts.intent(place=HERE) == second
    assert contexts.clear_intent(place=HERE) == second
    assert contexts.intent(place=HERE) is None
    assert [entry.text for entry in contexts.history()] == [second.text, first.text]
    context = f"context:{first.context.id}"
    assert events(store) == [("intent.set", context), ("intent.set", context), ("intent.cleared", context)]


def test_the_same_intent_again_changes_nothing(contexts: ContextService, store: Store) -> None:
    first = contexts.set_intent("Same", place=HERE)
    assert contexts.set_intent(" Same ", place=HERE, source="agent") == first
    assert len(events(store)) == len(contexts.history()) == 1


def test_texts_are_one_line_without_secrets(contexts: ContextService) -> None:
    intent = contexts.set_intent("two\nlines\tand ghp_0123456789abcdefghijABCDEFGHIJ012345", place=HERE)
    assert intent.text == "two lines and ‹redacted›"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("x" * 10_001, "10,001 characters"),
        ("a\x1b[31m", "U[+]001B at position 2"),
    ],
)
def test_texts_that_cannot_be(contexts: ContextService, store: Store, text: str, says: str) -> None:
    for call in (contexts.set_intent, contexts.record_milestone):
        with pytest.raises(InvalidInput, match=says) as refused:
            call(text, place=HERE)
        assert "\n" not in refused.value.message
        assert refused.value.hint
    assert events(store) == []
    assert contexts.contexts() == []


def test_a_repeated_request_is_answered_not_run(contexts: ContextService) -> None:
    first = contexts.set_intent("One", place=HERE, request="r1")
    contexts.set_intent("Two", place=HERE, request="r2")
    assert contexts.set_intent("One", place=HERE, request="r1") == first
    assert current(contexts, HERE).text == "Two"
    with pytest.raises(Conflict):
        contexts.set_intent("Three", place=HERE, request="r1")
    cleared = contexts.clear_intent(place=HERE, request="r3")
    contexts.set_intent("Four", place=HERE)
    assert contexts.clear_intent(place=HERE, request="r3") == cleared
    milestone = contexts.record_milestone("Done", place=HERE, request="r4", artifacts=("a", "b"))
    assert contexts.record_milestone("Done", place=HERE, request="r4", artifacts=("a", "b")) == milestone
    assert len(contexts.milestones(place=HERE)) == 1


# ---- which context ------------------------------------------------------------------------------


def test_worktrees_and_zellij_sessions_keep_apart(contexts: ContextService) -> None:
    places = [Place(cwd=f"/w/{root}/sub", zellij_session=name) for root in "ab" for name in ("", "s1", "s2")]
    for number, place in enumerate(places):
        contexts.set_intent(str(number), place=place)
    assert [current(contexts, place).text for place in places] == list("012345")
    assert current(contexts, Place(cwd="/w/a/elsewhere/below", zellij_session="s2")).text == "2"
    assert {context.root for context in contexts.contexts()} == {"/w/a", "/w/b"}
    assert len(contexts.contexts(root="/w/a")) == 3


def test_outside_of_worktrees_the_sessions_root_counts(contexts: ContextService, store: Store) -> None:
    zellij(store, "s", "/w/a")
    contexts.set_intent("of the session", place=Place(cwd="/w/a", zellij_session="s"))
    assert contexts.status(place=Place(cwd="/plain", zellij_session="s")).root == "/w/a"
    assert contexts.set_intent("new", place=Place(cwd="/plain", zellij_session="s")).context.root == "/w/a"
    assert contexts.status(place=Place(zellij_session="s")).intent == "new"
    # Outside of Zellij, and in a worktree, nothing falls back.
    assert contexts.intent(place=Place(cwd="/plain")) is None
    assert contexts.intent(place=Place(cwd="/w/b", zellij_session="s")) is None
    assert contexts.set_intent("folder", place=Place(cwd="/plain")).context.root == "/plain"


def test_a_folder_with_a_context_of_its_own_keeps_it(contexts: ContextService, store: Store) -> None:
    first = contexts.set_intent("before the plugin was heard", place=Place(cwd="/plain", zellij_session="s"))
    zellij(store, "s", "/w/a")
    assert contexts.intent(place=Place(cwd="/plain", zellij_session="s")) == first


def test_a_context_is_named_by_the_end_of_its_id(contexts: ContextService) -> None:
    one = contexts.set_intent("one", place=Place(cwd="/w/a"))
    contexts.set_intent("two", place=Place(cwd="/w/b"))
    for end in (one.context.id, one.context.id[-8:], one.context.id[-8:].upper()):
        assert contexts.intent(place=Place(context=end, cwd="/w/b")) == one
    with pytest.raises(NotFound):
        contexts.intent(place=Place(context="zzz"))
    with pytest.raises(NotFound):
        contexts.intent(place=Place(context="%"))
    with pytest.raises(NotFound):
        contexts.history(context="01234567-0123-0123-0123-012345678901")


def test_an_end_that_is_not_unique(store: Store, contexts: ContextService) -> None:
    def unit(tx: Transaction) -> None:
        for front in ("a", "b"):
            tx.run("context.add", id=f"{front}-00aa", host="host", zellij_session="", root=front, at=1)

    store.write(unit)
    with pytest.raises(Ambiguous, match="several"):
        contexts.intent(place=Place(context="00aa"))


@pytest.mark.parametrize(
    "place", [Place(), Place(cwd="relative"), Place(cwd="/a\0b"), Place(zellij_session="new")]
)
def test_places_that_say_nothing(contexts: ContextService, place: Place) -> None:
    with pytest.raises(InvalidInput):
        contexts.set_intent("x", place=place)


# ---- milestones ---------------------------------------------------------------------------------


def test_milestones_belong_to_the_current_intent(contexts: ContextService) -> None:
    alone = contexts.record_milestone("alone", place=HERE)
    assert alone.intent_id is None
    intent = contexts.set_intent("the aim", place=HERE)
    done = contexts.record_milestone(
        "done", place=HERE, kind="checkpoint", artifacts=("src/a.py", "src/a.py", "b"), source="agent"
    )
    assert (done.intent_id, done.kind, done.artifacts) == (intent.id, "checkpoint", ("src/a.py", "b"))
    assert contexts.milestones(place=HERE) == [done, alone]
    assert contexts.milestones(place=HERE, limit=1) == [done]
    assert contexts.milestones(place=Place(cwd="/w/none")) == []
    status = contexts.status(place=HERE)
    assert (status.intent, status.milestone, status.milestone_at) == ("the aim", "done", done.recorded_at)


def test_undo_takes_back_the_newest(contexts: ContextService, store: Store) -> None:
    first = contexts.record_milestone("first thing", place=HERE)
    second = contexts.record_milestone("second thing", place=HERE)
    assert contexts.undo_milestone(place=HERE) == second
    assert contexts.milestones(place=HERE) == [first]
    assert contexts.history("second") == []
    assert contexts.undo_milestone(place=HERE) == first
    for place in (HERE, Place(cwd="/w/none")):
        with pytest.raises(NotFound):
            contexts.undo_milestone(place=place)
    # It can be forgotten still: its text is in the event log.
    assert contexts.forget((second.id,)).milestones == 1


def test_unknown_kinds_and_sources(contexts: ContextService) -> None:
    with pytest.raises(InvalidInput, match="kind"):
        contexts.record_milestone("x", place=HERE, kind="big")  # type: ignore[arg-type]  # the point
    with pytest.raises(InvalidInput, match="source"):
        contexts.set_intent("x", place=HERE, source="me")  # type: ignore[arg-type]  # the point
    with pytest.raises(InvalidInput, match="artifact"):
        contexts.record_milestone("x", place=HERE, artifacts=(" ",))
    assert contexts.contexts() == []


def test_the_commit_is_taken_along(store: Store, tmp_path: Path) -> None:
    contexts = ContextService(store, host="host")
    repo = tmp_path / "repo"
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@y", "-C", str(repo)]
    subprocess.run(["git", "init", "-q", str(repo)], check=True)
    place = Place(cwd=str(repo))
    assert contexts.record_milestone("no commit yet", place=place).commit is None
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    head = subprocess.run(
        [*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    (repo / "below").mkdir()
    below = contexts.record_milestone("at a commit", place=Place(cwd=str(repo / "below")))
    assert (below.commit, below.context.root) == (head, str(repo.resolve()))
    by_name = contexts.record_milestone("from elsewhere", place=Place(context=below.context.id, cwd="/"))
    assert by_name.commit == head


# ---- carrying on --------------------------------------------------------------------------------


def test_contexts_carry_on_in_the_new_session(contexts: ContextService, store: Store) -> None:
    old = [contexts.set_intent(root, place=Place(cwd=f"/w/{root}", zellij_session="dead")) for root in "ab"]
    other = contexts.set_intent("other", place=Place(cwd="/w/a", zellij_session="alive"))
    carried = contexts.rebind("dead", "new", root="/w/a")
    assert carried == [Context(id=old[0].context.id, zellij_session="new", root="/w/a")]
    assert current(contexts, Place(cwd="/w/a", zellij_session="new")).id == old[0].id
    assert contexts.intent(place=Place(cwd="/w/a", zellij_session="dead")) is None
    assert contexts.intent(place=Place(cwd="/w/b", zellij_session="dead")) == old[1]
    assert contexts.intent(place=Place(cwd="/w/a", zellij_session="alive")) == other
    assert [context.root for context in contexts.rebind("dead", "new")] == ["/w/b"]
    assert contexts.rebind("dead", "new") == contexts.rebind("new", "new") == []
    assert ("context.restored", f"context:{old[0].context.id}") in events(store)


def test_milestones_of_the_new_session_join_the_old_context(contexts: ContextService) -> None:
    old = contexts.set_intent("aim", place=Place(cwd="/w/a", zellij_session="dead"))
    place = Place(cwd="/w/a", zellij_session="new")
    milestone = contexts.record_milestone("before the restore", place=place)
    contexts.rebind("dead", "new")
    assert current(contexts, place).id == old.id
    assert [one.id for one in contexts.milestones(place=place)] == [milestone.id]
    assert len(contexts.contexts(root="/w/a")) == 1


def test_a_new_intent_wins_over_the_old_context(contexts: ContextService, store: Store) -> None:
    old = contexts.set_intent("old aim", place=Place(cwd="/w/a", zellij_session="dead"))
    place = Place(cwd="/w/a", zellij_session="new")
    new = contexts.set_intent("new aim", place=place)
    assert contexts.rebind("dead", "new") == []
    assert contexts.intent(place=place) == new
    assert ("context.closed", f"context:{old.context.id}") in events(store)
    assert contexts.history("old aim")[0].id == old.id
    with pytest.raises(Conflict, match="closed"):
        contexts.set_intent("x", place=Place(context=old.context.id))


def test_a_renamed_session_takes_its_contexts_along(contexts: ContextService, store: Store) -> None:
    mine = contexts.set_intent("mine", place=Place(cwd="/w/a", zellij_session="old"))
    stale = contexts.set_intent("of an earlier one", place=Place(cwd="/w/a", zellij_session="new"))
    assert contexts.renamed("old", "new") == [
        Context(id=mine.context.id, zellij_session="new", root="/w/a"),
    ]
    assert current(contexts, Place(cwd="/w/a", zellij_session="new")).id == mine.id
    assert ("context.renamed", f"context:{mine.context.id}") in events(store)
    assert ("context.closed", f"context:{stale.context.id}") in events(store)
    # a shell that was started under the old name
    assert contexts.intent(place=Place(cwd="/w/a", zellij_session="old")) is None
    contexts.names.now = lambda _name: "new"
    assert current(contexts, Place(cwd="/w/a", zellij_session="old")).id == mine.id
