"""What is asked again gets its first answer: by a plugin, and of what no transaction can hold."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from tests.contract.test_snapshots import layout
from zdriver.context.ledger import Ledger
from zdriver.context.model import Context, Place, RestoreReport, UndoReport
from zdriver.context.service import ContextService
from zdriver.context.snapshots import SnapshotService
from zdriver.core.errors import Conflict, NotFound, Unavailable
from zdriver.daemon.live import LiveSession
from zdriver.daemon.plugincalls import PluginCalls
from zdriver.storage.port import Store
from zdriver.zellij.messages import Message

UNASKED: Any = None


@pytest.fixture
def contexts(store: Store) -> ContextService:
    return ContextService(store, host="host", roots=lambda folder: None, head=lambda root: None)


def session(**cwds: str) -> LiveSession:
    """A Zellij session in /w, as far as it is asked where its panes stand: `pane1="/w/one"`.

    `late2="/w/two"` is a pane that is known once the plugin was asked for all of them.
    """
    late = {int(name[4:]): cwds.pop(name) for name in list(cwds) if name.startswith("late")}
    processes = {int(name[4:]): SimpleNamespace(cwd=cwd) for name, cwd in cwds.items()}
    capture = SimpleNamespace(state=None, processes=processes)

    def ask_all() -> None:
        processes.update({pane: SimpleNamespace(cwd=cwd) for pane, cwd in late.items()})
        if not late:
            raise Unavailable("its plugin does not answer")

    told = SimpleNamespace(zellij_session="s", root="/w", capture=capture, layout=ask_all)
    return cast(LiveSession, told)


def asked(method: str, **params: object) -> Message:
    return Message(id=1, method=method, params=msgspec.Raw(msgspec.json.encode(params)))


def test_a_plugin_that_asks_again_is_answered_not_served_twice(contexts: ContextService) -> None:
    """The daemon died before it answered: the next one does not know the pane's folder yet."""
    calls = PluginCalls(contexts, UNASKED, UNASKED, UNASKED, UNASKED)
    before, after = session(pane1="/w/one"), session()
    step = asked("plugin.record_milestone", text="Extracted models", pane=1, request="m")
    first = calls.serve(before, step)
    assert calls.serve(after, step) == first
    intent = asked("plugin.set_intent", text="Refactor", pane=1, request="i")
    kept = calls.serve(before, intent)
    contexts.set_intent("Something else", place=Place(cwd="/w/one", zellij_session="s"))
    assert calls.serve(after, intent) == kept
    texts = [entry.text for entry in contexts.history()]
    assert texts == ["Something else", "Refactor", "Extracted models"]
    assert {entry.context.root for entry in contexts.history()} == {"/w/one"}
    with pytest.raises(Conflict):
        calls.serve(after, asked("plugin.record_milestone", text="Another", pane=1, request="m"))


def test_what_is_typed_in_a_pane_that_is_new_is_meant_there(contexts: ContextService) -> None:
    calls = PluginCalls(contexts, UNASKED, UNASKED, UNASKED, UNASKED)
    calls.serve(session(late2="/w/two"), asked("plugin.set_intent", text="There", pane=2, request="a"))
    calls.serve(session(), asked("plugin.set_intent", text="Somewhere", pane=2, request="b"))
    roots = {entry.text: entry.context.root for entry in contexts.history()}
    assert roots == {"There": "/w/two", "Somewhere": "/w"}


def test_what_is_done_in_zellij_is_done_once(store: Store) -> None:
    ledger, done = Ledger(store, host="host"), []

    def undo() -> UndoReport:
        done.append(1)
        return UndoReport(restore="r", closed=len(done), kept=("tab 1 · pane 1: vim runs in it",))

    first = ledger.once("q", "d", UndoReport, undo)
    assert ledger.once("q", "d", UndoReport, undo) == first
    assert len(done) == 1
    with pytest.raises(Conflict):
        ledger.once("q", "other", UndoReport, undo)
    assert ledger.once("q2", "d", UndoReport, undo).closed == 2
    assert [ledger.once("", "d", UndoReport, undo).closed for _ in range(2)] == [3, 4]


def test_what_failed_is_tried_again(store: Store) -> None:
    ledger = Ledger(store, host="host")

    def fail() -> UndoReport:
        raise NotFound("nothing was restored")

    for _ in range(2):
        with pytest.raises(NotFound):
            ledger.once("q", "d", UndoReport, fail)
    there = UndoReport(restore="r", closed=1, kept=())
    assert ledger.once("q", "d", UndoReport, lambda: there) == there


def test_forgetting_a_context_forgets_what_was_answered_about_its_snapshots(
    contexts: ContextService, store: Store
) -> None:
    """A report names folders and commands."""
    ledger = Ledger(store, host="host")
    context: Context = contexts.set_intent("x", place=Place(cwd="/w", zellij_session="s")).context
    taken = SnapshotService(store, host="host").record("s", "/w", layout(("vim", "secret.txt")), "change")
    assert taken is not None
    ledger.opened("k", name="s", pid=1, root="/w")
    id_ = ledger.add_restore(
        server="k", source="s", generation=taken.generation, root="/w", panes=(), failed=0
    )
    answers: dict[str, RestoreReport | UndoReport] = {
        "restore": RestoreReport(
            id=id_, zellij_session="t", generation=taken.generation, panes=(), restored=0, failed=()
        ),
        "undo": UndoReport(restore=id_, closed=0, kept=("tab 1 · pane secret: vim runs in it",)),
    }
    for name, answer in answers.items():
        ledger.once(name, "d", type(answer), lambda: answer)  # noqa: B023 at once

    def kept() -> list[bool]:
        return store.read(lambda tx: [tx.one("request.find", key=name) is not None for name in answers])

    assert kept() == [True, True]
    contexts.forget((context.id,))
    assert kept() == [False, False]
