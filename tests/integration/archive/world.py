"""A store with a history, its archive, and an independent look into both."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, LiteralString, Self

import apsw
import psycopg
from psycopg.rows import dict_row

from tests.contract.claiming import make_worktrees
from tests.integration.stores import service
from zdriver.archive.archiver import Archiver
from zdriver.claims.service import ClaimsService
from zdriver.context.layout import Layout, Pane, Tab
from zdriver.context.model import Place
from zdriver.context.snapshots import SnapshotService
from zdriver.core.clock import Clock, now_us
from zdriver.core.errors import NotFound
from zdriver.storage.sqlite import SqliteStore
from zdriver.worktrees.model import Repo, Worktree

Rows = list[dict[str, Any]]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class World:
    """`contexts`, `claims` and `snapshots` write to the store; `archiver` brings it to the archive."""

    def __init__(self, database: Path, url: str) -> None:
        self.database = database
        self.url = url

    def __enter__(self) -> Self:
        self.store = SqliteStore(self.database)
        self._begin()
        self.worktrees = make_worktrees(self.store, "feat-a", "feat-b")
        return self

    def _begin(self) -> None:
        self.contexts = service(self.store)
        self.snapshots = SnapshotService(self.store, host="host")
        self.claims = ClaimsService(self.store, self._find, host="host")
        self.archiver = self.another()

    def closed(self, function: Callable[[], object]) -> None:
        """Do it while nobody has the store open; what stood on it is made anew."""
        self.store.close()
        function()
        self.store = SqliteStore(self.database)
        self._begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.archiver.stop()
        self.store.close()

    def _find(self, name: str = "", cwd: str = "") -> tuple[Repo, Worktree]:
        if name not in self.worktrees:
            raise NotFound(name)
        return self.worktrees[name]

    def another(self, *, keep_days: int = 0, clock: Clock = now_us, interval: float = 86_400) -> Archiver:
        return Archiver(
            self.store, host="host", shown="…", interval=interval, keep_days=keep_days, clock=clock
        )

    def live(self, turns: int, *, begin: int = 0) -> None:
        """So many turns of work, each with some of everything."""
        for turn in range(begin, begin + turns):
            place = Place(cwd=f"/w/feat-{'ab'[turn % 2]}", zellij_session=f"z{turn % 3}")
            self.contexts.set_intent(f"Intent {turn} of src/api.ts", place=place)
            self.contexts.record_milestone(f"Reached {turn}", place=place, artifacts=("docs/ünder.md",))
            if turn % 4 == 1:
                self.contexts.undo_milestone(place=place)
            if turn % 5 == 2:
                self.contexts.clear_intent(place=place)
            if turn % 6 == 3:
                self.contexts.rebind(f"z{turn % 3}", f"z{turn % 3}-again")
            claimed = self.claims.claim("feat-a", agent=f"agent-{turn}")
            if turn % 7:
                self.claims.release("feat-a", token=claimed.token, agent=f"agent-{turn}")
            else:
                self.claims.take("feat-a", reason="it hangs", agent=f"other-{turn}")
                self.claims.release("feat-a", agent=f"other-{turn}")
            layout = Layout(tabs=(Tab(tiled=(Pane(cwd=place.cwd, command=("vim", str(turn))),)),))
            self.snapshots.record(place.zellij_session, place.cwd, layout, "change")

    # -- an independent look, without any code of the archive's ---------------------------------

    def there(self, statement: LiteralString, *values: object) -> Rows:
        with psycopg.connect(self.url, row_factory=dict_row) as connection:
            return connection.execute(statement, values).fetchall()

    def here(self, statement: str) -> Rows:
        connection = apsw.Connection(str(self.database), flags=apsw.SQLITE_OPEN_READONLY)
        cursor = connection.execute(statement)
        names = [] if (first := cursor.fetchone()) is None else [c[0] for c in cursor.get_description()]
        rows = [] if first is None else [dict(zip(names, row, strict=True)) for row in (first, *cursor)]
        connection.close()
        return rows

    def change(self, statement: LiteralString, *, here: bool = False) -> None:
        """Somebody changes the archive (or the store) behind zdriver's back."""
        if here:
            self.closed(lambda: apsw.Connection(str(self.database)).execute(statement).fetchall())
            return
        with psycopg.connect(self.url) as connection:
            connection.execute(statement)

    def counts(self) -> dict[str, int]:
        """How many rows of each kind the store has."""
        kinds = ("entries", "claims", "events", "snapshots")
        return {kind: len(self.here(f"SELECT 1 FROM {kind}")) for kind in kinds}

    def same(self) -> dict[str, int]:
        """Everything of the store is in the archive as it is, and nothing else; how much of it."""
        return {
            "entries": self._entries(),
            "claims": self._compare("claims", "id", _CLAIM),
            "events": self._events(),
            "snapshots": self._snapshots(),
        }

    def _entries(self) -> int:
        here = self.here(
            "SELECT e.id, e.type, e.text, e.kind, e.artifacts, e.commit_id, e.source, e.at, e.intent_id,"
            " e.ended_at, e.undone_at, e.context_id, c.host, c.zellij_session, c.root"
            " FROM entries e JOIN contexts c ON c.id = e.context_id ORDER BY e.id"
        )
        there = self.there(
            "SELECT id, type, text, kind, artifacts::text AS artifacts, commit_id, source, at, intent_id,"
            " ended_at, undone_at, context_id, host, zellij_session, root"
            ' FROM archive_entries ORDER BY id COLLATE "C"'
        )
        assert [_plain(row) for row in there] == here
        return len(here)

    def _events(self) -> int:
        columns = "id, sequence, type, aggregate, aggregate_seq, subject, at, envelope"
        here = self.here(f"SELECT {columns} FROM events ORDER BY sequence")
        there = self.there(
            "SELECT id, sequence, type, aggregate, aggregate_seq, subject, at, envelope::text AS envelope"
            " FROM archive_events ORDER BY sequence"
        )
        assert [_plain(row) for row in there] == [
            {**row, "envelope": bytes(row["envelope"]).decode()} for row in here
        ]
        return len(here)

    def _compare(self, table: LiteralString, order: LiteralString, columns: LiteralString) -> int:
        here = self.here(f"SELECT {columns} FROM {table} ORDER BY {order}")
        query: LiteralString = (
            "SELECT " + columns + " FROM archive_" + table + " ORDER BY " + order + ' COLLATE "C"'
        )
        assert [_plain(row) for row in self.there(query)] == here
        return len(here)

    def _snapshots(self) -> int:
        columns: LiteralString = (
            "generation, taken_at, host, zellij_session, root, reason, tabs, panes, pinned, digest, size"
        )
        here = self.here(f"SELECT {columns} FROM snapshots ORDER BY generation")
        there = self.there("SELECT " + columns + " FROM archive_snapshots ORDER BY generation")
        known = {(row["generation"]): _plain(row) for row in there}
        # Generations that were thinned out since stay in the archive: they were.
        assert [known[row["generation"]] for row in here] == here
        return len(here)


_CLAIM: LiteralString = (
    "id, worktree_id, agent, token, host, pid, session, claimed_at, ended_at, ended, reason"
)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """As SQLite has it: moments in µs, flags as numbers."""
    return {
        name: (value - EPOCH) // timedelta(microseconds=1)
        if isinstance(value, datetime)
        else int(value)
        if isinstance(value, bool)
        else value
        for name, value in row.items()
    }
