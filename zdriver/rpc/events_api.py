"""What can be asked of the event log."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec

from zdriver.events.envelope import Envelope


class Logged(msgspec.Struct, frozen=True, kw_only=True):
    """An event and its place in the log."""

    cursor: int
    event: Envelope


class Subscribed(msgspec.Struct, frozen=True, kw_only=True):
    cursor: int  #: events after this one follow


class EventsApi(Protocol):
    """Service name: `events`. Over the socket there is `events.subscribe`, too."""

    def list(
        self,
        *,
        after: int = 0,
        limit: int = 100,
        types: tuple[str, ...] = (),
        since: datetime | None = None,
        latest: bool = False,
    ) -> tuple[Logged, ...]:
        """Oldest first; at most 1,000.

        types   patterns such as "worktree.*"; () for all
        latest  the last `limit` of them instead of the first

        Raises InvalidInput.
        """
        ...

    def newest(self) -> int:
        """The cursor of the last event, 0 when there is none."""
        ...
