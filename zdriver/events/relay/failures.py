"""Events that a sink refused: which there are, and trying them again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from zdriver.core.clock import to_datetime
from zdriver.core.errors import Ambiguous, InvalidInput, NotFound
from zdriver.events.relay.rules import NEVER
from zdriver.storage.port import Row, Store, Transaction

#: Refused events that are read at once; who has more has one cause for all of them.
MOST = 10_000
_LIST = "`zdriver events failed` lists them"


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """An event that did not get out."""

    cursor: int  #: its place in the log
    id: str
    type: str
    aggregate: str
    at: datetime  #: when it happened
    sink: str  #: "rabbitmq"
    attempts: int
    error: str  #: the last one
    next_at: datetime | None  #: when it is tried again; None: it is set aside until `retry`


def failed(store: Store, limit: int = 1000) -> tuple[Failed, ...]:
    """In the order in which they happened; those that are tried again by themselves, too."""
    rows = store.read(lambda tx: tx.all("relay.failed", limit=max(1, min(limit, MOST))))
    return tuple(_failed(row) for row in rows)


def retry(store: Store, ids: Sequence[str], *, everything: bool = False) -> int:
    """Make refused events due at once; how many there are.

    ids  cursors, event ids, or the beginning of an id that no other has

    Raises InvalidInput, NotFound, Ambiguous; then nothing is changed.
    """
    if bool(ids) == everything:
        raise InvalidInput(
            "which events?" if not ids else "ids and all of them at once",
            hint="name them by cursor or id, or give --all",
        )

    def unit(tx: Transaction) -> int:
        if everything:
            return tx.run("relay.again_all")
        rows = tx.all("relay.failed", limit=MOST)
        keys = dict.fromkeys((row["sink"], row["sequence"]) for given in ids for row in _meant(given, rows))
        return sum(tx.run("relay.again", sink=sink, sequence=sequence) for sink, sequence in keys)

    return store.write(unit)


def _failed(row: Row) -> Failed:
    return Failed(
        cursor=row["sequence"],
        id=row["id"],
        type=row["type"],
        aggregate=row["aggregate"],
        at=to_datetime(row["at"]),
        sink=row["sink"],
        attempts=row["attempts"],
        error=row["error"],
        next_at=None if row["next_at"] == NEVER else to_datetime(row["next_at"]),
    )


def _meant(given: str, rows: Iterable[Row]) -> list[Row]:
    """The rows of one event, once per sink that refused it."""
    exact = [row for row in rows if given in (str(row["sequence"]), row["id"])]
    if exact:
        return exact
    near = [row for row in rows if len(given) >= 4 and row["id"].startswith(given.lower())]
    if not near:
        raise NotFound(f"no refused event is called {given[:80]!r}", hint=_LIST)
    if len({row["id"] for row in near}) > 1:
        raise Ambiguous(f"several refused events begin with {given[:80]!r}", hint=_LIST)
    return near
