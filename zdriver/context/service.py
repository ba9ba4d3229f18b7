"""Intents, milestones and their history: `ContextApi` on a store."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from zdriver.context import forgetting, left, resolving, rows, rules
from zdriver.context.elsewhere import NOWHERE, Elsewhere
from zdriver.context.model import (
    Context,
    Entry,
    Forgotten,
    Intent,
    Kind,
    Meant,
    Milestone,
    Place,
    Source,
    Status,
)
from zdriver.context.names import Names, steady
from zdriver.context.rebinding import rebind, rename
from zdriver.core import requests
from zdriver.core.clock import to_datetime, to_us
from zdriver.core.errors import InvalidInput, NotFound
from zdriver.core.ids import new_id
from zdriver.core.tokens import query_words, search_words
from zdriver.git import head_commit, worktree_top
from zdriver.storage.host import host_id
from zdriver.storage.port import Reading, Store, Transaction

if TYPE_CHECKING:
    from zdriver.hot.model import HotView

T = TypeVar("T")

#: Beyond every `seq`.
_END = 2**63 - 1


class _Cleared(msgspec.Struct, frozen=True):
    intent: Intent | None


class ContextService:
    """`ContextApi`. Thread-safe: all state is in the store."""

    def __init__(
        self,
        store: Store,
        *,
        host: str | None = None,
        roots: resolving.Roots = worktree_top,
        head: Callable[[str], str | None] = head_commit,
    ) -> None:
        """`host` names this machine (default: `host_id()`), `roots` finds the worktree of a folder,
        `head` the commit a folder stands at. Raises Unavailable when the host's id cannot be kept.
        """
        self._store = store
        self._host = host_id() if host is None else host
        self._roots = roots
        self._head = head
        #: Contexts that were left on another machine.
        self.elsewhere: Elsewhere = NOWHERE
        #: The entry with this id, or end of an id, that only the archive still has.
        self.only_archived: Callable[[str], Meant | None] = lambda _id: None
        #: Makes the archive forget what was forgotten here; see `Forgotten.archive`.
        self.archive_forgets: Callable[[], Literal["", "done", "owed"]] = lambda: ""
        #: What Zellij sessions are called now.
        self.names = Names()

    # ---- writing ------------------------------------------------------------------------

    @steady
    def set_intent(self, text: str, *, place: Place, source: Source = "manual", request: str = "") -> Intent:
        """Replace the current intent, which stays in the history.

        The same text again changes nothing: the current one comes back as it is.
        """
        text, source = rules.sentence(text, "intent"), rules.source(source)
        where = self._spot(place)
        self._carry_on(where)

        def unit(tx: Transaction) -> Intent:
            context = resolving.open_context(tx, resolving.find(tx, where, self._host), self._host)
            current = tx.one("entry.current_intent", context_id=context.id)
            if current is not None and current["text"] == text:
                return rows.intent(current, context)
            id_, now = new_id(), tx.now()
            if current is not None:
                tx.run("entry.end_intent", context_id=context.id, at=now)
            added: dict[str, Any] = {"id": id_, "text": text, "source": source, "at": now}
            _add(tx, context, type="intent", **added, kind=None, artifacts=(), commit_id=None, intent_id=None)
            tx.emit(resolving.event("intent.set", context, id_, text=text, source=source))
            return rows.intent(added, context)

        digest = requests.digest("set_intent", text, *_asked(place), source) if request else ""
        return self._write(unit, where, Intent, request, digest)

    @steady
    def clear_intent(self, *, place: Place, request: str = "") -> Intent | None:
        where = self._spot(place)
        self._carry_on(where)

        def unit(tx: Transaction) -> _Cleared:
            found = resolving.find(tx, where, self._host)
            current = found.context and tx.one("entry.current_intent", context_id=found.context.id)
            if not found.context or not current:
                return _Cleared(None)
            tx.run("entry.end_intent", context_id=found.context.id, at=tx.now())
            tx.emit(resolving.event("intent.cleared", found.context, current["id"]))
            return _Cleared(rows.intent(current, found.context))

        digest = requests.digest("clear_intent", place) if request else ""
        return self._write(unit, where, _Cleared, request, digest).intent

    @steady
    def record_milestone(
        self,
        text: str,
        *,
        place: Place,
        kind: Kind = "milestone",
        artifacts: tuple[str, ...] = (),
        source: Source = "manual",
        request: str = "",
    ) -> Milestone:
        text, kind, source = rules.sentence(text, "milestone"), rules.kind(kind), rules.source(source)
        artifacts = rules.artifacts(tuple(artifacts))
        where = self._spot(place)
        self._carry_on(where)
        # Git is asked before the transaction: a unit touches nothing else, and must not wait.
        commit = self._head(self._store.read(lambda tx: resolving.find(tx, where, self._host).root))

        def unit(tx: Transaction) -> Milestone:
            context = resolving.open_context(tx, resolving.find(tx, where, self._host), self._host)
            current = tx.one("entry.current_intent", context_id=context.id)
            made = Milestone(
                id=new_id(),
                text=text,
                kind=kind,
                artifacts=artifacts,
                commit=commit,
                recorded_at=to_datetime(tx.now()),
                intent_id=None if current is None else current["id"],
                source=source,
                context=context,
            )
            _add(
                tx, context, type="milestone", id=made.id, text=text, source=source,
                at=to_us(made.recorded_at), kind=kind, artifacts=artifacts, commit_id=commit,
                intent_id=made.intent_id,
            )  # fmt: skip
            payload = {"text": text, "kind": kind, "artifacts": artifacts, "commit": commit, "source": source}
            tx.emit(resolving.event("milestone.recorded", context, made.id, intent=made.intent_id, **payload))
            return made

        asked = (text, *_asked(place), kind, artifacts, source)
        digest = requests.digest("record_milestone", *asked) if request else ""
        return self._write(unit, where, Milestone, request, digest)

    @steady
    def undo_milestone(self, *, place: Place, request: str = "") -> Milestone:
        where = self._spot(place)
        self._carry_on(where)

        def unit(tx: Transaction) -> Milestone:
            found = resolving.find(tx, where, self._host)
            newest = tx.all("entry.milestones", context_id=found.context.id, limit=1) if found.context else []
            if not found.context or not newest:
                raise NotFound(f"no milestone is recorded at {found.root}", hint="nothing was changed")
            tx.run("entry.undo", seq=newest[0]["seq"], at=tx.now())
            tx.run("search.remove", seq=newest[0]["seq"])
            tx.emit(resolving.event("milestone.undone", found.context, newest[0]["id"]))
            return rows.milestone(newest[0], found.context)

        digest = requests.digest("undo_milestone", place) if request else ""
        return self._write(unit, where, Milestone, request, digest)

    def forget(self, ids: tuple[str, ...], *, request: str = "") -> Forgotten:
        """Every id is known or nothing is forgotten. Backups are replaced by a fresh one."""
        ids = tuple(ids)
        if not ids:
            raise InvalidInput("nothing was named", hint="give ids; zdriver history shows them")
        digest = requests.digest("forget", ids) if request else ""

        def write(here: tuple[str, ...], there: tuple[Meant, ...]) -> Forgotten:
            return self._store.write(
                lambda tx: forgetting.forget(tx, here, self._host, archived=there),
                lock=["forget"],
                request=request,
                digest=digest,
                result=Forgotten,
                urgent=True,
            )

        try:
            forgotten = write(ids, ())
        except NotFound:
            meant = [(id_, self._meant(id_)) for id_ in ids]
            forgotten = write(
                tuple(id_ for id_, (_, here) in meant if here),
                tuple(each for _, (each, here) in meant if not here),
            )
        archived = self.archive_forgets()
        self._store.scrub()
        return msgspec.structs.replace(forgotten, archive=archived)

    def rebind(self, old: str, new: str, *, root: str = "") -> list[Context]:
        """For restore: the contexts of the dead Zellij session `old` carry on in `new`.

        With `root` only the one there. Never leaves two open ones at one root of `new`.
        """
        return self._store.write(
            lambda tx: rebind(tx, old, new, root, self._host),
            lock=[f"session:{self._host}/{name}" for name in sorted({old, new})],
        )

    def renamed(self, old: str, new: str) -> list[Context]:
        """A Zellij session that lives was given another name: its contexts go along."""
        return self._store.write(
            lambda tx: rename(tx, old, new, self._host),
            lock=[f"session:{self._host}/{name}" for name in sorted({old, new})],
        )

    # ---- reading ------------------------------------------------------------------------

    @steady
    def intent(self, *, place: Place) -> Intent | None:
        where = self._spot(place)

        def unit(tx: Reading) -> tuple[str, Intent | None]:
            found = resolving.find(tx, where, self._host)
            current = found.context and tx.one("entry.current_intent", context_id=found.context.id)
            return found.root, rows.intent(current, found.context) if found.context and current else None

        root, current = self._store.read(unit)
        return current or left.intent(self._left(where, root), root)

    @steady
    def milestones(self, *, place: Place, limit: int = 20) -> list[Milestone]:
        where, limit = self._spot(place), rules.page(limit)

        def unit(tx: Reading) -> tuple[str, list[Milestone]]:
            found = resolving.find(tx, where, self._host)
            if found.context is None:
                return found.root, []
            read = tx.all("entry.milestones", context_id=found.context.id, limit=limit)
            return found.root, [rows.milestone(row, found.context) for row in read]

        root, milestones = self._store.read(unit)
        return milestones or left.milestones(self._left(where, root), root)[:limit]

    def history(
        self,
        query: str = "",
        *,
        since: datetime | None = None,
        context: str = "",
        repo: str = "",
        limit: int = 50,
        before: str = "",
    ) -> list[Entry]:
        """Every word of `query` must occur, the last may be the beginning of one.

        Raises NotFound for an unknown `before`, and as `--context` does.
        """
        limit, words = rules.page(limit), query_words(query)
        if query.strip() and not words:
            return []
        top = os.path.realpath(repo) if repo else ""
        below = top.rstrip("/") + "/"

        def unit(tx: Reading) -> list[Entry]:
            given = {
                "before": _seq(tx, before) if before else _END,
                "since": -_END if since is None else to_us(since),
                "repo": top,
                "below": below,
                "limit": limit,
            }
            context_id = resolving.named(tx, context)["id"] if context else ""
            if top and tx.one("context.below", repo=top, below=below) is None:
                return []
            if words:
                found = tx.all("search.history", query=" ".join(words), context_id=context_id, **given)
            elif context_id:
                found = tx.all("entry.history_of_context", context_id=context_id, **given)
            else:
                found = tx.all("entry.history", **given)
            return [rows.entry(row) for row in found]

        return self._store.read(unit)

    def meant(self, ids: tuple[str, ...]) -> list[Meant]:
        found = [self._meant(id_)[0] for id_ in ids]
        return list({each.id: each for each in found}.values())

    def _meant(self, id_: str) -> tuple[Meant, bool]:
        """(what it means, whether it is here): what was pruned here may be in the archive."""
        try:
            return self._store.read(lambda tx: forgetting.meant(tx, (id_,), self._host))[0], True
        except NotFound:
            there = self.only_archived(id_)
            if there is None:
                raise
            return there, False

    def contexts(self, *, root: str = "") -> list[Context]:
        """The open ones of this machine, newest first."""
        real = os.path.realpath(root) if root else ""
        found = self._store.read(lambda tx: tx.all("context.all_open", host=self._host, root=real))
        return [rows.context(row) for row in found]

    @steady
    def status(self, *, place: Place) -> Status:
        where = self._spot(place)

        def unit(tx: Reading) -> Status:
            found = resolving.find(tx, where, self._host)
            if found.context is None:
                return Status(root=found.root)
            intent = tx.one("entry.current_intent", context_id=found.context.id)
            last = tx.all("entry.milestones", context_id=found.context.id, limit=1)
            return Status(
                root=found.root,
                context=found.context.id,
                intent=intent["text"] if intent else "",
                intent_at=to_datetime(intent["at"]) if intent else None,
                milestone=last[0]["text"] if last else "",
                milestone_at=to_datetime(last[0]["at"]) if last else None,
            )

        return self._store.read(unit)

    def _left(self, where: resolving.Spot, root: str) -> HotView | None:
        """What was left elsewhere at a place of which nothing is known here."""
        return None if where.named or self.elsewhere is NOWHERE else self.elsewhere.newest(root)

    def _carry_on(self, where: resolving.Spot) -> None:
        """The first thing to be written at a place goes on with what was left elsewhere."""
        if where.named or self.elsewhere is NOWHERE:
            return
        found = self._store.read(lambda tx: resolving.find(tx, where, self._host))
        if found.context is None:
            self.elsewhere.carry_on(found.root, into=found.zellij_session)

    def _spot(self, place: Place) -> resolving.Spot:
        if place.zellij_session:
            place = msgspec.structs.replace(place, zellij_session=self.names.now(place.zellij_session))
        return resolving.spot(place, self._roots)

    def _write(
        self,
        unit: Callable[[Transaction], T],
        where: resolving.Spot,
        result: type[T],
        request: str,
        digest: str,
    ) -> T:
        return self._store.write(
            unit, lock=resolving.locks(where, self._host), request=request, digest=digest, result=result
        )


def _add(tx: Transaction, context: Context, *, text: str, artifacts: tuple[str, ...], **columns: Any) -> None:
    """One entry and its search words."""
    listed = msgspec.json.encode(artifacts).decode()
    added = tx.one("entry.add", context_id=context.id, text=text, artifacts=listed, **columns)
    assert added is not None
    tx.run("search.add", seq=added["seq"], words=search_words(text, artifacts))


def _asked(place: Place) -> tuple[str, str]:
    """What of a place makes a request another one: not its folder.

    A plugin names a pane, and asks again when the daemon died: by then its shell may stand
    elsewhere, or the new daemon does not know it yet.
    """
    return place.zellij_session, place.context


def _seq(tx: Reading, id_: str) -> int:
    row = tx.one("entry.seq_of", id=id_)
    if row is None:
        raise NotFound(f"there is no entry {id_!r}", hint="give the id of the last entry of the page before")
    return int(row["seq"])
