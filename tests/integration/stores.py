"""What the tests of the store do with one: services on it, and all that it holds."""

from __future__ import annotations

from zdriver.context.service import ContextService
from zdriver.storage.port import Reading, Store
from zdriver.storage.sqlite import SqliteStore


def service(store: Store) -> ContextService:
    """Intents and milestones in this store; every folder is a root, and there is no git."""
    return ContextService(store, host="host", roots=lambda folder: folder, head=lambda root: None)


def texts(store: SqliteStore) -> set[str]:
    """Of all intents and milestones."""

    def unit(tx: Reading) -> set[str]:
        everything = {"before": 2**63 - 1, "since": 0, "repo": "", "below": "", "limit": 1_000_000}
        return {row["text"] for row in tx.all("entry.history", **everything)}

    return store.read(unit)
