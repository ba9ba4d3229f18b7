"""What can be asked of the event log."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec

from zdriver.events.envelope import Envelope
from zdriver.events.relay.failures import Failed


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

    def failed(self, *, limit: int = 1000) -> tuple[Failed, ...]:
        """Events that a sink refused, in the order in which they happened; at most 10,000.

        Those with `next_at` are tried again by themselves; the others are set aside.
        """
        ...

    def retry(self, ids: tuple[str, ...] = (), *, everything: bool = False) -> int:
        """Try refused events again now; how many there are.

        ids  cursors, event ids, or the beginning of an id that no other has

        Raises InvalidInput, NotFound, Ambiguous.
        """
        ...
