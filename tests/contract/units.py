"""The least that a store can be asked: for tests."""

from __future__ import annotations

from collections.abc import Callable

from zdriver.storage.port import Reading, Row, Store, Transaction
from zdriver.testing import until


def put(key: str, value: str) -> Callable[[Transaction], str]:
    def unit(tx: Transaction) -> str:
        tx.run("meta.put", key=key, value=value)
        return value

    return unit


def get(key: str) -> Callable[[Reading], str | None]:
    def unit(tx: Reading) -> str | None:
        row = tx.one("meta.get", key=key)
        return None if row is None else str(row["value"])

    return unit


def logged(store: Store, count: int) -> list[Row]:
    """The first events, once so many can be read: an older transaction may hold them up for a moment."""

    def found() -> list[Row] | None:
        rows = store.read(lambda tx: tx.all("event.after", sequence=0, limit=count + 1))
        return rows if len(rows) == count else None

    return until(found, what=f"{count} events")


def whole_log(store: Store) -> list[Row]:
    """All events, once all that were committed can be read: see `logged`."""

    def settled(tx: Reading) -> bool:
        row = tx.one("event.standing")
        return row is not None and (row["newest"] or 0) < (row["settled"] or 1)

    until(lambda: store.read(settled), what="older transactions to end")
    return store.read(lambda tx: tx.all("event.after", sequence=0, limit=1000))
