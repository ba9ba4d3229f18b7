"""Views of contexts, from the store's journal."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from zdriver.context import rows
from zdriver.context.generations import content_of
from zdriver.context.layout import Layout, Tab, terminals
from zdriver.context.model import Context
from zdriver.core.clock import to_datetime, to_us
from zdriver.core.errors import StoreDamaged
from zdriver.core.runtime import home_folder
from zdriver.hot.fields import MILESTONES_MAX
from zdriver.hot.model import HotIntent, HotMilestone, HotPane, HotView, Site
from zdriver.hot.port import CONTEXT_SECONDS
from zdriver.storage.port import Reading, Row, Store

#: Layouts that are kept decoded: of the sessions somebody works in.
LAYOUTS_KEPT = 8


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal has of one context, at one moment."""

    context: Context
    sequence: int  #: newest event of the log at that moment
    parent: str
    opened_at: datetime
    intent: HotIntent | None
    milestones: tuple[HotMilestone, ...]
    layout: Layout | None
    taken_at: datetime | None
    live: bool  #: its Zellij session runs


class Due(NamedTuple):
    save: list[HotView]
    live: frozenset[str]  #: ids of those whose Zellij session runs
    drop: list[str]  #: closed, forgotten, empty, or too long ago


class Views:
    """Makes views. One thread at a time."""

    def __init__(
        self, store: Store, *, host: str, site_of: Callable[[str], Site], host_name: str = "", home: str = ""
    ) -> None:
        """`host_name` and `home` are this machine's and its user's where they are not given."""
        self._store = store
        self._host = host
        self._site_of = site_of
        self._host_name = host_name or socket.gethostname()
        self._home = home or os.path.realpath(home_folder() or "/")
        self._layouts: dict[str, Layout | None] = {}

    def all_hot(self, now: datetime) -> Sequence[str]:
        """Ids of this machine's open contexts that are not too long ago, newest first."""
        since = to_us(now) - CONTEXT_SECONDS * 1_000_000
        found = self._store.read(lambda tx: tx.all("hot.recent", host=self._host, since=since))
        return [row["id"] for row in found]

    def of(self, ids: Sequence[str], now: datetime, ahead: int) -> Due:
        """What is to be done about these. `ahead` is added to what the journal counts."""
        told, others = self._store.read(lambda tx: (list(self._told(tx, ids)), self._others(tx, ids)))
        views = [self._view(each, ahead) for each in told]
        live = frozenset(each.context.id for each in told if each.live)
        oldest = now - timedelta(seconds=CONTEXT_SECONDS)
        kept = [each for each in views if not each.empty and (each.id in live or each.updated_at > oldest)]
        stay = others.union(each.id for each in kept)
        return Due(save=kept, live=live, drop=[each for each in ids if each not in stay])

    def _others(self, tx: Reading, ids: Iterable[str]) -> set[str]:
        """Those of other machines on the same store: theirs to write, and to take out."""
        found = (tx.one("context.by_id", id=id_) for id_ in ids)
        return {row["id"] for row in found if row is not None and row["host"] != self._host}

    def _told(self, tx: Reading, ids: Iterable[str]) -> Iterator[Told]:
        newest = tx.one("event.newest")
        sequence = int(newest["sequence"] or 0) if newest else 0
        running = {row["name"] for row in tx.all("restore.servers_open", host=self._host)}
        for id_ in ids:
            row = tx.one("hot.context", id=id_, host=self._host)
            if row is not None:
                yield self._one(tx, row, sequence, running)

    def _one(self, tx: Reading, row: Row, sequence: int, running: set[str]) -> Told:
        context = rows.context(row)
        current = tx.one("entry.current_intent", context_id=context.id)
        milestones = tx.all("entry.milestones", context_id=context.id, limit=MILESTONES_MAX)
        layout, taken_at = self._panes(tx, context)
        return Told(
            context=context,
            sequence=sequence,
            parent=row["parent_id"] or "",
            opened_at=to_datetime(row["opened_at"]),
            intent=None if current is None else _intent(current),
            milestones=tuple(map(_milestone, milestones)),
            layout=layout,
            taken_at=taken_at,
            live=context.zellij_session in running,
        )

    def _panes(self, tx: Reading, of: Context) -> tuple[Layout | None, datetime | None]:
        """The newest generation of its Zellij session; of another root, the tabs that stand in this one."""
        if not of.zellij_session:
            return None, None
        row = tx.one("snapshot.newest", host=self._host, zellij_session=of.zellij_session)
        if row is None:
            return None, None
        layout = self._layout(tx, row)
        if layout is not None and row["root"] != of.root:
            layout = _standing_in(layout, of.root)
        return layout, None if layout is None else to_datetime(row["taken_at"])

    def _layout(self, tx: Reading, row: Row) -> Layout | None:
        key = row["content"]
        if key not in self._layouts:
            try:
                found: Layout | None = content_of(tx, row).layout
            except StoreDamaged:
                found = None
            while len(self._layouts) >= LAYOUTS_KEPT:
                del self._layouts[next(iter(self._layouts))]
            self._layouts[key] = found
        return self._layouts[key]

    def _view(self, told: Told, ahead: int) -> HotView:
        moments = [told.opened_at, *(each.at for each in told.milestones)]
        moments += [told.intent.at] if told.intent else []
        moments += [told.taken_at] if told.taken_at else []
        return HotView(
            id=told.context.id,
            version=told.sequence + ahead,
            site=self._site_of(told.context.root),
            host_name=self._host_name,
            home=self._home,
            zellij_session=told.context.zellij_session,
            updated_at=max(moments),
            intent=told.intent,
            milestones=told.milestones,
            panes=tuple(_panes(told.layout)) if told.layout else (),
            layout=told.layout,
            taken_at=told.taken_at,
            parent=told.parent,
        )


def _intent(row: Row) -> HotIntent:
    return HotIntent(id=row["id"], text=row["text"], at=to_datetime(row["at"]), source=row["source"])


def _milestone(row: Row) -> HotMilestone:
    return HotMilestone(
        id=row["id"],
        text=row["text"],
        at=to_datetime(row["at"]),
        kind=row["kind"],
        artifacts=rows.artifacts(row["artifacts"]),
        commit=row["commit_id"],
        source=row["source"],
    )


def _panes(layout: Layout) -> Iterator[HotPane]:
    for tab in layout.tabs:
        for pane in terminals(tab):
            yield HotPane(tab=tab.name, cwd=pane.cwd, name=pane.name, command=pane.command)


def _standing_in(layout: Layout, root: str) -> Layout | None:
    """The tabs of which a pane stands at `root` or below."""

    def stands(tab: Tab) -> bool:
        return any(pane.cwd == root or pane.cwd.startswith(f"{root}/") for pane in terminals(tab))

    tabs = tuple(tab for tab in layout.tabs if stands(tab))
    return msgspec.structs.replace(layout, tabs=tabs) if tabs else None
