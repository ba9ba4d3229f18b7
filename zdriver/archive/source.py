"""The store's side, in the worker's process: short reads, page by page, and no writing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from zdriver.archive.naming import claims_of, entries_of
from zdriver.core.config import Config
from zdriver.core.engines import address
from zdriver.core.errors import NotFound, Unavailable
from zdriver.storage.port import Reading, Row

T = TypeVar("T")


class Readable(Protocol):
    """What can be read of a store."""

    def read(self, unit: Callable[[Reading], T]) -> T: ...


class Source:
    """Rows of one store, as the archive wants them. Raises what the store raises."""

    def __init__(self, store: Readable, id_: str) -> None:
        """id_  of the store: `store_id` in its `meta`"""
        self._store = store
        self.id = id_

    def all(self, statement: str, **params: object) -> list[Row]:
        return self._store.read(lambda tx: tx.all(statement, **params))

    def one(self, statement: str, **params: object) -> Row | None:
        return self._store.read(lambda tx: tx.one(statement, **params))

    def newest(self) -> tuple[int, str]:
        """`sequence` and id of the newest event; (0, "") where there is none."""
        row = self.one("archive.newest")
        return (0, "") if row is None else (int(row["sequence"]), str(row["id"]))

    def is_at(self, sequence: int, id_: str) -> bool:
        """Whether this event stands at this place: in a store that was recovered another one does."""
        row = self.one("archive.event", sequence=sequence)
        return row is not None and row["id"] == id_

    def with_named(self, events: list[Row]) -> tuple[list[Row], list[Row]]:
        """(entries, claims) that these events are about, as they are now, each once."""
        return self._store.read(lambda tx: (entries_of(tx, events), claims_of(tx, events)))


def open_source(config: Config) -> Source:
    """The configured store, beside the daemon that owns it.

    Raises NotFound where there is none yet, and what a store on PostgreSQL raises.
    """
    store = _postgresql(config) or _sqlite(config)
    row = store.read(lambda tx: tx.one("meta.get", key="store_id"))
    assert row is not None
    return Source(store, str(row["value"]))


def _postgresql(config: Config) -> Readable | None:
    where = address("storage.url", config, others=True)
    if where is None:
        return None
    if where.scheme != "postgresql":
        raise Unavailable(
            f"the store of a plugin ({where.scheme}://) is not archived", hint="leave archive.url empty"
        )
    from zdriver.storage.postgres.store import PostgresStore

    return PostgresStore(where)


def _sqlite(config: Config) -> Readable:
    from zdriver.core.clock import now_us
    from zdriver.storage.catalog import statements
    from zdriver.storage.sqlite.readers import ReaderPool

    path = config.database()
    if not path.exists():
        raise NotFound(f"there is no store at {path}", hint="it is made by the first command")
    return ReaderPool(path, statements("sqlite"), now_us)
