"""Stories become contexts: each in one transaction, and twice is once."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Protocol

import msgspec

from zdriver.context import resolving
from zdriver.context.forgetting import FORGOTTEN
from zdriver.context.layout import Layout, leaves, terminals
from zdriver.context.model import IMPORTED, Context, SnapshotInfo
from zdriver.context.resolving import event
from zdriver.context.rows import context as context_of
from zdriver.core.clock import to_us
from zdriver.core.errors import ZdriverError
from zdriver.core.tokens import search_words
from zdriver.importing import stories
from zdriver.importing.imi import moment
from zdriver.importing.model import ImportedContexts, TakenContext, Unread
from zdriver.importing.stories import Step, Story
from zdriver.importing.zellij_driver import Found, Shown
from zdriver.storage.port import Reading, Store, Transaction

FROM = "zellij-driver"


class Record(Protocol):
    """`SnapshotService.record`"""

    def __call__(
        self, zellij_session: str, root: str, layout: Layout, reason: str, *, taken_at: datetime | None = None
    ) -> SnapshotInfo | None: ...


class Contexts:
    """One import: what was found, and what became of it."""

    def __init__(self, store: Store, host: str, record: Record, root_of: stories.RootOf) -> None:
        self._store = store
        self._host = host
        self._record = record
        self._root_of = root_of

    def take(self, found: Found, source: str, *, dry_run: bool) -> ImportedContexts:
        taken, known = [], 0
        for story in stories.stories(found, self._root_of):
            fresh = self._store.read(partial(self._fresh, story=story))
            known += len(story.steps) - len(fresh.steps)
            if not fresh.steps and not fresh.intent:
                continue
            if not dry_run:
                self._write(fresh)
            taken.append(
                TakenContext(
                    root=story.root,
                    zellij_session=story.zellij_session,
                    intent=fresh.intent,
                    milestones=len(fresh.steps),
                )
            )
        oldest_first = sorted(found.snapshots, key=lambda each: each.created_at)
        snapshots = [each for each in oldest_first if self._take_panes(each, found, dry_run=dry_run)]
        return ImportedContexts(
            source=source,
            contexts=tuple(taken),
            snapshots=len(snapshots),
            known=known,
            unread=tuple(found.unread),
            dry_run=dry_run,
        )

    def _write(self, story: Story) -> None:
        def unit(tx: Transaction) -> None:
            fresh = self._fresh(tx, story)
            if not fresh.steps and not fresh.intent:
                return
            row = resolving.open_at(tx, self._host, story.zellij_session, story.root)
            there = resolving.Found(
                context=None if row is None else context_of(row),
                zellij_session=story.zellij_session,
                root=story.root,
            )
            context = resolving.open_context(tx, there, self._host)
            for step in fresh.steps:
                _add_step(tx, context, step)
            if fresh.intent:
                _add_intent(tx, context, fresh)

        locks = [f"session:{self._host}/{story.zellij_session}", f"root:{self._host}/{story.root}"]
        self._store.write(unit, lock=locks)

    def _fresh(self, tx: Reading, story: Story) -> Story:
        """What of it is not here yet. An intent that was set here stays: theirs is older."""
        steps = [step for step in story.steps if not _known(tx, step.id)]
        row = resolving.open_at(tx, self._host, story.zellij_session, story.root)
        own = row is not None and tx.one("entry.current_intent", context_id=row["id"]) is not None
        intent = "" if own or not story.intent or _known(tx, story.intent_id) else story.intent
        return msgspec.structs.replace(story, steps=steps, intent=intent)

    def _take_panes(self, shown: Shown, found: Found, *, dry_run: bool) -> bool:
        """Whether the snapshot is, or would be, a generation. Never over one that was seen here."""
        layout, at = stories.layout(shown), moment(shown.created_at)
        what = f"snapshot {shown.name} of {shown.session}"
        cwd = next((p.cwd for tab in layout.tabs for p in leaves(tab.tiled) if p.cwd), "")
        if at is None or not cwd or not shown.session or not any(terminals(tab) for tab in layout.tabs):
            found.unread.append(
                Unread(what=what, reason="it has no time, no session or no pane with a folder")
            )
            return False
        newest = self._store.read(
            lambda tx: tx.one("snapshot.newest", host=self._host, zellij_session=shown.session)
        )
        if newest is not None:
            if newest["reason"] != IMPORTED:
                found.unread.append(Unread(what=what, reason="zdriver has newer panes of that session"))
                return False
            if newest["taken_at"] >= to_us(at):
                return False  # taken over already
        if dry_run:
            return True
        try:
            return self._record(shown.session, self._root_of(cwd), layout, IMPORTED, taken_at=at) is not None
        except ZdriverError as error:
            found.unread.append(Unread(what=what, reason=error.message))
            return False


def _known(tx: Reading, id_: str) -> bool:
    """Whether it is here, or was and is to be forgotten."""
    forgotten = tx.one("meta.get", key=f"{FORGOTTEN}{id_}")
    return forgotten is not None or tx.one("entry.by_id", id=id_) is not None


def _add_step(tx: Transaction, context: Context, step: Step) -> None:
    artifacts = msgspec.json.encode(step.artifacts).decode()
    added = tx.one(
        "entry.add", id=step.id, context_id=context.id, type="milestone", text=step.text, source=step.source,
        at=to_us(step.at), kind=step.kind, artifacts=artifacts, commit_id=None, intent_id=None,
    )  # fmt: skip
    assert added is not None
    tx.run("search.add", seq=added["seq"], words=search_words(step.text, step.artifacts))
    payload = {"text": step.text, "kind": step.kind, "artifacts": step.artifacts, "source": step.source}
    tx.emit(event("milestone.recorded", context, step.id, **payload, at=_iso(step.at), imported_from=FROM))


def _add_intent(tx: Transaction, context: Context, story: Story) -> None:
    assert story.intent_at is not None
    added = tx.one(
        "entry.add", id=story.intent_id, context_id=context.id, type="intent", text=story.intent,
        source="manual", at=to_us(story.intent_at), kind=None, artifacts="[]", commit_id=None, intent_id=None,
    )  # fmt: skip
    assert added is not None
    tx.run("search.add", seq=added["seq"], words=search_words(story.intent, ()))
    payload = {"text": story.intent, "source": "manual", "at": _iso(story.intent_at)}
    tx.emit(event("intent.set", context, story.intent_id, **payload, imported_from=FROM))


def _iso(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
