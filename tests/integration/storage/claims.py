"""Claims on PostgreSQL, done at once or by units: for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from zdriver.claims.service import ClaimsService
from zdriver.core.errors import NotFound
from zdriver.storage.postgres.store import PostgresStore
from zdriver.worktrees.model import Repo, Worktree

Worktrees = dict[str, tuple[Repo, Worktree]]


class ByUnits(PostgresStore):
    """A store that does nothing at once."""

    def at_once(self, _statement: str, /, **_given: Any) -> None:
        return None


class Counting(PostgresStore):
    """Says how often it was done at once, and how often by a unit."""

    once = units = 0

    def at_once(self, statement: str, /, **given: Any) -> Any:
        done = super().at_once(statement, **given)
        self.once += done is not None
        return done

    def write(self, *given: Any, **more: Any) -> Any:
        self.units += 1
        return super().write(*given, **more)


class Deaf(Counting):
    """Hears nothing of other daemons: no connection but those of its calls."""

    def listen(self, channel: str, heard: Callable[[str], None]) -> Callable[[], None]:
        return lambda: None


def service(store: PostgresStore, known: Worktrees, host: str = "h") -> ClaimsService:
    def find(name: str = "", cwd: str = "") -> tuple[Repo, Worktree]:
        if name not in known:
            raise NotFound(name)
        return known[name]

    return ClaimsService(store, find, host=host)


def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(sql.encode()).fetchall()
