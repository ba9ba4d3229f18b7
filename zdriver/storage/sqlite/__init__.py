"""The embedded engine: one SQLite file, one process, nothing to set up."""

from zdriver.storage.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
