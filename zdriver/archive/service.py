"""`ArchiveApi`."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from zdriver.archive.model import Archived, ArchivedEntry
from zdriver.context import rules
from zdriver.context.forgetting import END_MIN
from zdriver.context.model import Entry, Meant
from zdriver.core.engines import Address
from zdriver.core.errors import Ambiguous, Unavailable

if TYPE_CHECKING:
    from zdriver.archive.archiver import Archiver
    from zdriver.archive.searching import Searching


class Archive(NamedTuple):
    """What there is where `archive.url` names one."""

    archiver: Archiver
    address: Address
    #: absolute folder → URL of the remote of the repository it lies in, "" where there is none
    remote: Callable[[str], str]


class ArchiveService:
    """`ArchiveApi`. Where there is no archive, everything raises why."""

    def __init__(self, archive: Archive | Unavailable | None) -> None:
        """archive: None where `archive.url` is not set; an error says why it cannot be used."""
        self._archive = archive
        self._searching: Searching | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        with self._lock:
            if self._searching is not None:
                self._searching.close()

    def _there(self) -> Archive:
        """Raises Unavailable."""
        if isinstance(self._archive, Unavailable):
            raise Unavailable(self._archive.message, hint=self._archive.hint)
        if self._archive is None:
            raise Unavailable(
                "no archive is configured: archive.url is not set",
                hint="set it to postgresql://user@host/database, then: zdriver daemon stop",
            )
        return self._archive

    def _search(self) -> Searching:
        """The driver is loaded by the first question: until then the daemon is as small as without one."""
        address = self._there().address
        from zdriver.archive.searching import Searching

        with self._lock:
            if self._searching is None:
                self._searching = Searching(address)
            return self._searching

    def run(self, *, dry_run: bool = False) -> Archived:
        return self._there().archiver.run(dry_run=dry_run)

    def only_there(self, given: str, store: str) -> Meant | None:
        """The entry that was pruned here and has this id, or end of an id. Raises Ambiguous, Unavailable.

        store  id of the store whose entries are meant
        """
        end = rules.id_end(given)
        if len(end) < END_MIN:
            return None
        found = self._search().ending(store, end)
        if not found:
            return None
        if len(found) > 1:
            raise Ambiguous(f"{given!r} ends several ids in the archive", hint="give more of the id")
        (entry,) = found
        is_intent = entry.type == "intent"
        return Meant(
            id=entry.id,
            entry=Entry(**{name: getattr(entry, name) for name in Entry.__struct_fields__}),
            context=entry.context,
            at=entry.at,
            intents=int(is_intent),
            milestones=int(not is_intent),
            snapshots=0,
        )

    def history(
        self,
        query: str = "",
        *,
        since: datetime | None = None,
        repo: str = "",
        host: str = "",
        limit: int = 50,
        before: str = "",
    ) -> list[ArchivedEntry]:
        remote = self._there().remote
        from zdriver.archive.searching import Asked

        asked = Asked(
            query=query,
            since=since,
            root=os.path.realpath(repo) if repo else "",
            remote=remote(repo) if repo else "",
            host=host,
            before=before,
            limit=rules.page(limit),
        )
        return self._search().history(asked)
