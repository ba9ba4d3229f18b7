"""What can be asked of the archive. Service name: `archive`."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from zdriver.archive.model import Archived, ArchivedEntry


class ArchiveApi(Protocol):
    def run(self, *, dry_run: bool = False) -> Archived:
        """Bring everything to the archive now; twice is once.

        dry_run  only say what would go there

        Raises Unavailable where none is configured, or it does not answer.
        """
        ...

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
        """Intents and milestones of all stores in the archive, newest first.

        query   every word must occur, the last may be the beginning of one
        repo    absolute folder: what lies at or below it, and what was said in any clone of its repository
        host    name or id of the machine
        before  id of the last entry of the page before

        Raises as `run`, and NotFound for an unknown `before`.
        """
        ...
