"""Generations of each Zellij session's panes: `SnapshotApi` on a store, and what records them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from zdriver.context import contents, rules
from zdriver.context.comparing import change, digest
from zdriver.context.generations import Row, Rows, blob, content_of, info_of, is_good, row_of
from zdriver.context.layout import Layout, terminals
from zdriver.context.model import Place, SnapshotContent, SnapshotInfo
from zdriver.context.retention import Generation, to_drop
from zdriver.core import requests
from zdriver.core.clock import Clock, now_us, to_us
from zdriver.core.errors import Internal, NotFound, StoreDamaged, Unavailable
from zdriver.storage.host import host_id
from zdriver.storage.port import Event, Reading, Store, Transaction

log = logging.getLogger(__name__)

PRUNE_EVERY_US = 600 * 1_000_000
_END = 2**63 - 1
_SEARCH = 200  #: how far back a readable generation is looked for


class Captured(msgspec.Struct, frozen=True, kw_only=True):
    """A Zellij session as it is now."""

    zellij_session: str
    root: str
    layout: Layout
    scrollback: Mapping[str, contents.Packed] = {}  #: text by `Pane.contents`, of those that are known


#: Takes a picture of the Zellij session of a place. Raises Unavailable without a plugin there.
Capturer = Callable[[Place], Captured]


def _no_plugin(place: Place) -> Captured:
    where = f"of the Zellij session {place.zellij_session!r}" if place.zellij_session else "here"
    raise Unavailable(
        f"no plugin {where} is connected, so there is nothing to take a snapshot of",
        hint="run it inside Zellij; `zdriver doctor` says what is missing",
    )


class SnapshotService:
    """`SnapshotApi`. `capturer` may be set later: who captures needs this service first."""

    def __init__(
        self,
        store: Store,
        *,
        host: str | None = None,
        capturer: Capturer = _no_plugin,
        clock: Clock = now_us,
    ) -> None:
        """Raises Unavailable when this machine's id cannot be kept."""
        self.capturer = capturer
        self._store = store
        self._host = host_id() if host is None else host
        self._clock = clock
        self._pruned_at = 0
        #: Zellij session → its newest generation, decoded. Only a shortcut.
        self._known: dict[str, tuple[int, Layout]] = {}

    # ---- SnapshotApi --------------------------------------------------------------------

    def list(self, *, zellij_session: str = "", root: str = "", limit: int = 50) -> tuple[SnapshotInfo, ...]:
        limit = rules.page(limit)
        found = self._store.read(lambda tx: self._rows(tx, zellij_session, root, limit))
        return tuple(info_of(row) for row in found)

    def show(self, generation: int = 0, *, zellij_session: str = "") -> SnapshotContent:
        """Raises NotFound, and StoreDamaged when that generation cannot be read any more."""
        if generation == 0:
            found = self.latest_good(zellij_session=zellij_session)
            if found is None:
                whose = f" of the Zellij session {zellij_session!r}" if zellij_session else ""
                raise NotFound(f"there is no snapshot{whose} yet", hint="open Zellij with the plugin set up")
            return found
        return self._store.read(lambda tx: content_of(tx, row_of(tx, generation)))

    def save(self, *, place: Place, pin: bool = False, request: str = "") -> SnapshotInfo:
        """Take one now; when nothing changed since the newest, that one is the answer.

        Raises InvalidInput for a place outside of Zellij, Unavailable when there is no plugin, or
        nothing to keep.
        """
        captured = self.capturer(place)
        if _is_empty(captured.layout):
            raise Unavailable(
                f'Zellij session "{captured.zellij_session}" has no terminal panes to keep',
                hint="open one, then try again",
            )
        return self._record(
            captured.zellij_session,
            captured.root,
            captured.layout,
            "manual",
            pin=pin,
            scrollback=captured.scrollback,
            request=request,
            digest=requests.digest("save", place, pin) if request else "",
        ).info

    def pin(self, generation: int, *, pinned: bool = True) -> SnapshotInfo:
        """A pinned one is never thinned out. Raises NotFound."""

        def unit(tx: Transaction) -> SnapshotInfo:
            tx.run("snapshot.pin", generation=row_of(tx, generation)["generation"], pinned=int(pinned))
            return info_of(row_of(tx, generation))

        return self._store.write(unit)

    # ---- for who captures and restores ---------------------------------------------------

    def record(
        self,
        zellij_session: str,
        root: str,
        layout: Layout,
        reason: str,
        *,
        scrollback: Mapping[str, contents.Packed] | None = None,
        taken_at: datetime | None = None,
    ) -> SnapshotInfo | None:
        """Keep `layout` as a new generation; None when the newest one is the same.

        An empty layout is never kept: it would hide a good one. `scrollback` has the text of
        every pane whose `contents` names it; where only texts changed, the newest generation
        gets the new ones. `taken_at` is when it was seen, elsewhere; without it, now. Raises what
        `Store.write` raises.
        """
        if _is_empty(layout):
            return None
        made = self._record(zellij_session, root, layout, reason, scrollback=scrollback, taken_at=taken_at)
        self._prune_when_due()
        return made.info if made.fresh else None

    def renamed(self, old: str, new: str, *, root: str) -> None:
        """A Zellij session that lives was given another name: its generations go along."""
        self._store.write(
            lambda tx: tx.run("snapshot.rename", host=self._host, old=old, new=new, root=root),
            lock=sorted({f"snapshots:{old}", f"snapshots:{new}"}),
        )
        self._known.pop(old, None)
        self._known.pop(new, None)

    def latest_good(self, *, zellij_session: str = "", root: str = "") -> SnapshotContent | None:
        """The newest that can be read, of this Zellij session and root where given."""

        def unit(tx: Reading) -> SnapshotContent | None:
            return next(self._readable(tx, self._rows(tx, zellij_session, root, _SEARCH)), None)

        return self._store.read(unit)

    def scrollback(self, key: str) -> str:
        """The text that `Pane.contents` names. Raises NotFound, StoreDamaged."""
        return self._store.read(lambda tx: contents.unpack_scrollback(key, lambda each: blob(tx, each)))

    def prune(self, now: int | None = None) -> int:
        """Let go of what retention says (`now` in µs); returns how many generations."""
        at = self._clock() if now is None else now

        def unit(tx: Transaction) -> int:
            dropped = 0
            for session in tx.all("snapshot.sessions", host=self._host):
                name = session["zellij_session"]
                for generation in to_drop(self._generations(tx, name), at):
                    tx.run("snapshot.unlink_blobs", generation=generation)
                    dropped += tx.run("snapshot.delete", generation=generation)
            if dropped:
                tx.run("snapshot.drop_unused_blobs")
            return dropped

        return self._store.write(unit, lock=["snapshots"], urgent=True)

    # ---- inside -------------------------------------------------------------------------

    def _record(
        self,
        zellij_session: str,
        root: str,
        layout: Layout,
        reason: str,
        *,
        pin: bool = False,
        scrollback: Mapping[str, contents.Packed] | None = None,
        taken_at: datetime | None = None,
        request: str = "",
        digest: str = "",
    ) -> _Made:
        prepared = _prepare(layout, scrollback or {})
        # Compared out here, since it takes time; inside only whether it is still the newest.
        compared, known = self._known.get(zellij_session, (0, None))
        same = known is not None and change(known, prepared.layout) == "none"

        def unit(tx: Transaction) -> _Made:
            newest = tx.one("snapshot.newest", host=self._host, zellij_session=zellij_session)
            if newest is not None and (
                same if newest["generation"] == compared else _is_same(tx, newest, prepared.layout)
            ):
                told = self._retell(tx, newest, prepared)
                if told is not None:
                    return _Made(_again(tx, newest["generation"], pin), False)
            at = tx.now() if taken_at is None else to_us(taken_at)
            return _Made(self._insert(tx, zellij_session, root, reason, prepared, pin, at), True)

        made = self._store.write(
            unit, lock=[f"snapshots:{zellij_session}"], request=request, digest=digest, result=_Made
        )
        if made.fresh:
            self._known[zellij_session] = (made.info.generation, prepared.layout)
        return made

    def _retell(self, tx: Transaction, newest: Row, prepared: _Prepared) -> Row | None:
        """Give the newest generation today's texts; None where it stays as it is: pinned, or damaged."""
        if all(key is None for key in prepared.told):
            return newest
        try:
            stored = content_of(tx, newest).layout
            fresh = contents.retold(stored, prepared.told)
            wanted = contents.texts(fresh, lambda each: prepared.blobs.get(each) or blob(tx, each))
        except StoreDamaged:
            return None
        if fresh == stored:
            return newest
        if newest["pinned"]:
            return None
        generation = newest["generation"]
        key, data = contents.pack(contents.encode(fresh))
        linked = {row["key"] for row in tx.all("snapshot.linked", generation=generation)}
        size = newest["size"]
        for each in (wanted - linked) & prepared.blobs.keys():
            text = prepared.blobs[each]
            size += len(text) if tx.run("snapshot.add_blob", key=each, data=text) else 0
            tx.run("snapshot.link_blob", generation=generation, key=each)
        size += len(data) if tx.run("snapshot.add_blob", key=key, data=data) else 0
        tx.run("snapshot.retell", generation=generation, content=key, size=size)
        for each in linked - wanted:
            tx.run("snapshot.unlink_blob", generation=generation, key=each)
        for each in {*(linked - wanted), newest["content"]} - {key}:
            freed = tx.one("snapshot.drop_blob_if_unused", key=each)
            size -= freed["size"] if freed is not None else 0
        tx.run("snapshot.retell", generation=generation, content=key, size=max(0, size))
        return newest

    def _insert(
        self,
        tx: Transaction,
        zellij_session: str,
        root: str,
        reason: str,
        prepared: _Prepared,
        pin: bool,
        at: int,
    ) -> SnapshotInfo:
        size = 0
        for key, data in prepared.blobs.items():
            # The layout is written anew even when it is there: a damaged one is whole again then.
            statement = "snapshot.replace_blob" if key == prepared.key else "snapshot.add_blob"
            size += len(data) if tx.run(statement, key=key, data=data) else 0
        values: dict[str, Any] = {
            "zellij_session": zellij_session,
            "root": root,
            "taken_at": at,
            "reason": reason,
            "tabs": len(prepared.layout.tabs),
            "panes": sum(len(terminals(tab)) for tab in prepared.layout.tabs),
            "pinned": int(pin),
            "digest": prepared.digest,
        }
        row = tx.one("snapshot.add", host=self._host, content=prepared.key, size=size, **values)
        assert row is not None
        for key in prepared.blobs:
            if key != prepared.key:
                tx.run("snapshot.link_blob", generation=row["generation"], key=key)
        info = info_of({**values, **row})
        tx.emit(
            Event(
                type="snapshot.taken",
                aggregate=f"zellij_session:{self._host}/{zellij_session}",
                payload={
                    "id": str(info.generation),
                    "generation": info.generation,
                    "zellij_session": zellij_session,
                    "root": root,
                    "reason": reason,
                    "tabs": info.tabs,
                    "panes": info.panes,
                },
            )
        )
        return info

    def _rows(self, tx: Reading, zellij_session: str, root: str, limit: int) -> Rows:
        return tx.all(
            "snapshot.list",
            host=self._host,
            before=_END,
            zellij_session=zellij_session,
            root=root,
            limit=limit,
        )

    @staticmethod
    def _readable(tx: Reading, newest_first: Rows) -> Iterator[SnapshotContent]:
        for row in newest_first:
            try:
                yield content_of(tx, row)
            except StoreDamaged as error:
                log.warning("generation %d is passed over: %s", row["generation"], error.message)

    def _generations(self, tx: Reading, zellij_session: str) -> Iterator[Generation]:
        """Newest first. Only those newer than the newest readable one are known not to be."""
        found = False
        for row in tx.all("snapshot.of_session", host=self._host, zellij_session=zellij_session):
            found = found or is_good(tx, row["content"])
            yield Generation(
                generation=row["generation"],
                taken_at=row["taken_at"],
                size=row["size"],
                pinned=bool(row["pinned"]),
                good=found,
            )

    def _prune_when_due(self) -> None:
        now = self._clock()
        if 0 <= now - self._pruned_at < PRUNE_EVERY_US:
            return
        self._pruned_at = now
        try:
            self.prune(now)
        except Unavailable:
            log.exception("old snapshots were not let go of")


def _is_empty(layout: Layout) -> bool:
    """Kept, it would hide a good one."""
    return not any(terminals(tab) for tab in layout.tabs)


class _Made(msgspec.Struct, frozen=True):
    info: SnapshotInfo
    fresh: bool


class _Prepared(msgspec.Struct, frozen=True):
    layout: Layout  #: as stored
    digest: str
    key: str  #: of the layout's own blob
    blobs: dict[str, bytes]
    told: contents.Told


def _prepare(layout: Layout, scrollback: Mapping[str, contents.Packed]) -> _Prepared:
    """Everything that takes time, outside of the transaction. Raises Internal when it does not read back."""
    kept, blobs, told = contents.with_scrollback(contents.redact(layout), scrollback)
    key, data = contents.pack(contents.encode(kept))
    if contents.decode(contents.unpack(key, data)) != kept:
        raise Internal("a layout did not read back as it was written", hint="zdriver doctor --report")
    return _Prepared(kept, digest(kept), key, {**blobs, key: data}, told)


def _is_same(tx: Reading, row: dict[str, Any], layout: Layout) -> bool:
    """False for a damaged one: it must be followed by a new one."""
    try:
        return change(content_of(tx, row).layout, layout) == "none"
    except StoreDamaged:
        return False


def _again(tx: Transaction, generation: int, pin: bool) -> SnapshotInfo:
    if pin:
        tx.run("snapshot.pin", generation=generation, pinned=1)
    return info_of(row_of(tx, generation))
