"""A context that was left on another machine is carried on here; one that the journal lost is taken back.

Taking over makes a context of this machine, with the other one as its parent. What of its entries
this store knows already (it was here before) moves along; all else is written with its own id,
so that no entry is twice in one history.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Protocol

import msgspec

from zdriver.context import resolving, rows
from zdriver.context.forgetting import FORGOTTEN
from zdriver.context.layout import Layout, terminals
from zdriver.context.model import TAKEN_BACK, TAKEN_OVER, Context, SnapshotInfo
from zdriver.core.clock import to_datetime, to_us
from zdriver.core.errors import ZdriverError
from zdriver.core.ids import new_id
from zdriver.core.runtime import home_folder
from zdriver.core.tokens import search_words
from zdriver.hot.model import HotIntent, HotMilestone, HotView, Site
from zdriver.hot.port import Look
from zdriver.hot.translating import Paths, between, from_elsewhere
from zdriver.storage.port import Reading, Row, Store, Transaction

log = logging.getLogger(__name__)


class Recorder(Protocol):
    def record(
        self, zellij_session: str, root: str, layout: Layout, reason: str, *, taken_at: datetime | None = None
    ) -> SnapshotInfo | None: ...


class Taking:
    """Thread-safe: all state is in the store."""

    def __init__(
        self,
        store: Store,
        look: Look,
        snapshots: Recorder,
        *,
        host: str,
        site_of: Callable[[str], Site],
        caught_up: Callable[[], bool],
        home: str = "",
    ) -> None:
        """`home` is its user's where it is not given."""
        self._store = store
        self._look = look
        self._snapshots = snapshots
        self._host = host
        self._site_of = site_of
        self._caught_up = caught_up
        self._home = home or os.path.realpath(home_folder() or "/")

    def newest(self, root: str) -> HotView | None:
        """The newest context that was left elsewhere at what is `root` here, when it is newer than all here.

        With its paths as they are here. Raises nothing: without an answer there is none.
        """
        try:
            return self._newest(root)
        except ZdriverError as error:
            log.warning("what was left elsewhere is not looked at: %s", error.message)
            return None

    def _newest(self, root: str) -> HotView | None:
        found = self._look.find(self._site_of(root).key)
        if not found:
            return None
        known = self._store.read(lambda tx: self._known(tx, root, found))
        if any(each.site.host == self._host for each in found) and not self._caught_up():
            known.unread.update(each.id for each in found if each.site.host == self._host)
        news = [each for each in found if self._is_news(each, known)]
        if not news:
            return None
        newest = max(news, key=lambda each: each.updated_at)
        return _moved(self._store.read(lambda tx: _remembered(tx, newest)), root, self._home)

    def carry_on(self, root: str, *, into: str) -> None:
        """`Elsewhere.carry_on`. Its panes become a generation of a Zellij session called NAME@HOST, which
        what brings back closed sessions then finds."""
        view = self.newest(root)
        if view is None:
            return
        try:
            # The panes first: killed between the two it is taken again, and the same panes make nothing new.
            self._keep_panes(view, self._named(view), root)
            taken = self._store.write(
                lambda tx: self._carry_on(tx, view, into, root),
                lock=[f"session:{self._host}/{into}", f"root:{self._host}/{root}"],
            )
        except ZdriverError as error:
            log.warning("context %s of %s is not carried on: %s", view.id, view.host_name, error.message)
            return
        if taken:
            log.info("context %s of %s is carried on in %s", view.id, view.host_name, root)

    def _named(self, view: HotView) -> str:
        """What its Zellij session is called here."""
        if view.site.host == self._host:
            return view.zellij_session
        return view.label

    def _keep_panes(self, view: HotView, name: str, root: str) -> None:
        if view.layout is None or view.taken_at is None:
            return
        if not any(terminals(tab) for tab in view.layout.tabs):
            return
        newest = self._store.read(lambda tx: tx.one("snapshot.newest", host=self._host, zellij_session=name))
        if newest is not None and newest["taken_at"] >= to_us(view.taken_at):
            return  # what was seen here since is newer
        reason = TAKEN_BACK if view.site.host == self._host else TAKEN_OVER
        self._snapshots.record(name, root, view.layout, reason, taken_at=view.taken_at)

    def recover(self, view: HotView) -> None:
        """Write into the journal what of a context of this machine only the hot copy has."""
        try:
            self._keep_panes(view, view.zellij_session, view.site.root)
        except ZdriverError as error:
            log.warning("the panes of %s are not taken back: %s", view.zellij_session, error.message)

        def unit(tx: Transaction) -> None:
            if tx.one("hot.context", id=view.id, host=self._host) is None:
                return
            context = Context(id=view.id, zellij_session=view.zellij_session, root=view.site.root)
            if write_entries(tx, context, _remembered(tx, view)):
                tx.emit(resolving.event("context.taken_back", context, context.id))

        self._store.write(unit, lock=[f"context:{view.id}"])

    # ---- inside -------------------------------------------------------------------------

    def _known(self, tx: Reading, root: str, found: Iterable[HotView]) -> _Known:
        moments = [
            tx.one(statement, host=self._host, root=root)
            for statement in ("hot.newest_entry_at", "hot.newest_panes_at")
        ]
        newest = max((row["at"] for row in moments if row is not None and row["at"] is not None), default=0)
        unread = {view.id for view in found if not self._has_more(tx, view, root, newest)}
        for view in found:
            row = tx.one("context.by_id", id=view.id) or tx.one("meta.get", key=f"{FORGOTTEN}{view.id}")
            if (row is not None and row.get("host", self._host) == self._host) or self._is_taken(tx, view):
                unread.add(view.id)
        return _Known(to_datetime(newest), unread)

    def _is_taken(self, tx: Reading, view: HotView) -> bool:
        """Whether a context of this machine carries it on already, as far as it goes."""
        taken = tx.one("hot.carried_on", host=self._host, parent_id=view.id)
        return taken is not None and taken["parent_version"] >= view.version

    def _has_more(self, tx: Reading, view: HotView, root: str, newest: int) -> bool:
        """Whether anything of it is not here. Clocks alone do not tell: entries go from one to another."""
        if view.taken_at is not None and to_us(view.taken_at) > newest:
            return True
        return any(
            tx.one("hot.entry_here", host=self._host, root=root, **_told(entry)) is None
            for entry in _entries(view)
        )

    def _is_news(self, view: HotView, known: _Known) -> bool:
        return view.id not in known.unread and not view.empty and view.updated_at > known.newest

    def _carry_on(self, tx: Transaction, view: HotView, name: str, root: str) -> bool:
        """False where another session did it since this one looked."""
        if self._is_taken(tx, view):
            return False
        made = Context(id=new_id(), zellij_session=name, root=root)
        replaced = self._replaced(tx, view, name, root)
        for old in replaced:
            current = tx.one("entry.current_intent", context_id=old.id)
            if current is not None and not _is_same(current, view.intent):
                tx.run("entry.end_intent", context_id=old.id, at=tx.now())
            tx.run("context.close", id=old.id, at=tx.now())
        tx.run("context.add", id=made.id, host=self._host, zellij_session=name, root=root, at=tx.now())
        tx.run("hot.carries_on", id=made.id, parent_id=view.id, parent_version=view.version)
        for old in replaced:
            tx.run("entry.adopt", context_id=old.id, into=made.id)
            tx.emit(resolving.event("context.closed", old, old.id, instead=made.id))
        write_entries(tx, made, view)
        payload = {"parent": view.id, "from_host": view.host_name, "from_root": view.site.root}
        tx.emit(resolving.event("context.taken_over", made, made.id, **payload))
        return True

    def _replaced(self, tx: Transaction, view: HotView, name: str, root: str) -> list[Context]:
        """Contexts of this machine whose story this one goes on with: what stood there, and what was carried
        on elsewhere (unless somebody has it open)."""
        found = [resolving.open_at(tx, self._host, name, root)]
        parent = tx.one("hot.context", id=view.parent, host=self._host) if view.parent else None
        running = {row["name"] for row in tx.all("restore.servers_open", host=self._host)}
        if parent is not None and parent["zellij_session"] not in running:
            found.append(parent)
        return list({row["id"]: rows.context(row) for row in found if row is not None}.values())


class _Known(msgspec.Struct):
    """What this machine knows of a root."""

    newest: datetime  #: of all that was done there
    unread: set[str]  #: ids of contexts that are no news


def write_entries(tx: Transaction, into: Context, view: HotView) -> int:
    """The entries of a view that are not in `into` yet, oldest first; how many those were.

    One that is elsewhere in this store (another machine's, on a shared one) is written with an id of its own.
    """
    missing = [entry for entry in _entries(view) if not _is_in(tx, into, entry)]
    for entry in sorted(missing, key=lambda each: each.at):
        taken = tx.one("entry.by_id", id=entry.id) is not None
        _write(tx, into, entry, new_id() if taken else entry.id)
    return len(missing)


def _is_in(tx: Reading, into: Context, entry: HotIntent | HotMilestone) -> bool:
    """An intent that ended here is set again: elsewhere somebody went on with it."""
    if isinstance(entry, HotIntent):
        current = tx.one("entry.current_intent", context_id=into.id)
        return current is not None and _is_same(current, entry)
    return tx.one("hot.entry_in", context_id=into.id, **_told(entry)) is not None


def _is_same(current: Row, intent: HotIntent | None) -> bool:
    return intent is not None and (current["id"] == intent.id or current["text"] == intent.text)


def _entries(view: HotView) -> list[HotIntent | HotMilestone]:
    return [*view.milestones, *([view.intent] if view.intent is not None else [])]


def _told(entry: HotIntent | HotMilestone) -> dict[str, Any]:
    """What tells an entry: its id; or time and text, where a copy has an id of its own."""
    return {"id": entry.id, "at": to_us(entry.at), "text": entry.text}


def _write(tx: Transaction, into: Context, entry: HotIntent | HotMilestone, id_: str) -> None:
    more: dict[str, Any] = {"type": "intent", "kind": None, "artifacts": "[]", "commit_id": None}
    artifacts: tuple[str, ...] = ()
    if isinstance(entry, HotMilestone):
        artifacts = entry.artifacts
        listed = msgspec.json.encode(artifacts).decode()
        more = {"type": "milestone", "kind": entry.kind, "artifacts": listed, "commit_id": entry.commit}
    else:
        tx.run("entry.end_intent", context_id=into.id, at=tx.now())
    added = tx.one(
        "entry.add", id=id_, context_id=into.id, text=entry.text, source=entry.source, at=to_us(entry.at),
        intent_id=None, **more,
    )  # fmt: skip
    assert added is not None
    tx.run("search.add", seq=added["seq"], words=search_words(entry.text, artifacts))


def _remembered(tx: Reading, view: HotView) -> HotView:
    """Without what was forgotten here."""

    def forgotten(id_: str) -> bool:
        return tx.one("meta.get", key=f"{FORGOTTEN}{id_}") is not None

    return msgspec.structs.replace(
        view,
        intent=None if view.intent is None or forgotten(view.intent.id) else view.intent,
        milestones=tuple(each for each in view.milestones if not forgotten(each.id)),
    )


def _moved(view: HotView, root: str, home: str) -> HotView:
    """With the paths of this machine. `site` stays the other one's."""
    paths = between((view.site.root, root), (view.home, home))
    return msgspec.structs.replace(
        view,
        layout=None if view.layout is None else from_elsewhere(view.layout, paths),
        milestones=tuple(_with_paths(each, paths) for each in view.milestones),
    )


def _with_paths(milestone: HotMilestone, paths: Paths) -> HotMilestone:
    return msgspec.structs.replace(milestone, artifacts=tuple(map(paths.path, milestone.artifacts)))
