"""The port every hot copy stands behind. Redis is built in; `zdriver_hot_context` adds others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from zdriver.core.engines import EngineHealth
from zdriver.hot.model import HotView

#: Seconds that a context is kept after it was last heard of, and an intent after it was set.
CONTEXT_SECONDS = 7 * 86_400
INTENT_SECONDS = 86_400


class Keep(Protocol):
    """Writing, from one thread that may wait: nobody's command does."""

    def connect(self) -> None:
        """Make sure that it answers. Raises Unavailable, naming the setting and the cause."""
        ...

    def save(self, views: Sequence[HotView], live: frozenset[str] = frozenset()) -> Sequence[str]:
        """Write views; the ids of those that were refused, since a newer version is there.

        live  ids of contexts that somebody has open: kept for the full time from now on, the others
              from their last change on

        Raises Unavailable: what was written of them is not known, and writing them again is harmless.
        """
        ...

    def drop(self, ids: Sequence[str]) -> None:
        """Take contexts out. One that is not there is no error. Raises Unavailable."""
        ...

    def load(self, id_: str) -> HotView | None:
        """None where there is none, or what stands there is no view. Raises Unavailable."""
        ...

    def intact(self) -> bool:
        """Whether what was written since `mark` can still be there: False when it was emptied.

        Raises Unavailable.
        """
        ...

    def mark(self) -> None:
        """All that is to be there was written: `intact` from now on, until it is emptied."""
        ...


class Look(Protocol):
    """Reading, in the way of a command."""

    def find(self, key: str) -> Sequence[HotView]:
        """Contexts of a `Site.key`, the newest first; none when there is no answer at once.

        Never raises, and never waits longer than `context.timeout_ms`; while it is known to be down
        it does not wait at all.
        """
        ...


class Hot(Keep, Look, Protocol):
    def health(self) -> EngineHealth:
        """From what is known; asks nobody."""
        ...

    def close(self) -> None: ...
