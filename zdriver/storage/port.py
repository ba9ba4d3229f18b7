"""The port every engine stands behind.

A *unit* is a plain function of a transaction. It may be run again (after a lost
connection or a serialization failure, or in a transaction once it proves to look twice),
so it touches nothing but its transaction.
Statements are named: `"context.by_root"` is the statement `by_root` in
`zdriver/storage/statements/context.sql`, with `:name` parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

T = TypeVar("T")

#: A row: column name → int, str, bytes, float or None.
Row = dict[str, Any]

#: Key in `meta` that a unit puts which deletes for good, each with a value of its own: `Store.scrub`
#: is owed, and made up for at the next opening should the process be killed before it is done.
SCRUB_OWED = "scrub_owed"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that became true in this transaction."""

    type: str  #: "intent.set"
    aggregate: str  #: "context:<id>"; order is kept per aggregate
    payload: dict[str, Any]


class Reading(Protocol):
    """A consistent view of the store."""

    def one(self, statement: str, /, **params: Any) -> Row | None: ...

    def all(self, statement: str, /, **params: Any) -> list[Row]: ...

    def now(self) -> int:
        """The store's clock, microseconds since the epoch."""
        ...


class Transaction(Reading, Protocol):
    def run(self, statement: str, /, **params: Any) -> int:
        """Execute; the number of rows changed."""
        ...

    def run_many(self, statement: str, rows: Sequence[Mapping[str, Any]], /) -> None:
        """Execute once for each of `rows`, in that order: cheaper than one by one."""
        ...

    def emit(self, event: Event) -> None:
        """Append to the event log (and to every sink's deliveries) with this transaction."""
        ...

    def notify(self, channel: str, text: str) -> None:
        """After the commit, tell every process on the store that listens (`Store.listen`).

        channel  small letters; text: at most 1,000 characters, not empty

        On several machines it makes commits wait for each other: only for what is rare.
        """
        ...


class Store(Protocol):
    #: Whether other processes use it too. Its clock is its own then, and nobody here corrects it.
    shared: bool

    def read(self, unit: Callable[[Reading], T]) -> T: ...

    def write(
        self,
        unit: Callable[[Transaction], T],
        *,
        lock: Sequence[str] = (),
        request: str = "",
        digest: str = "",
        result: type[T] | None = None,
        timeout: float = 5.0,
        urgent: bool = False,
    ) -> T:
        """Run `unit` durably: when this returns, the change survives a power cut.

        lock     aggregates the unit reads before it writes, e.g. `["context:<id>"]`
        request  idempotency key: a second call with it (24 h) gives the first one's result,
                 decoded as `result`, without running the unit
        digest   of the request's parameters; the same `request` with another one is a Conflict
        timeout  seconds to wait for the writer
        urgent   it frees room, so it may use what is kept back for a full disk

        Raises StorageFull, Conflict, Unavailable, and what the unit raises (rolled back).
        """
        ...

    def at_once(
        self, statement: str, /, *, result: type[T], request: str = "", digest: str = "", **params: Any
    ) -> T | None:
        """What a unit would do, by one statement of the engine's own, where it has it for the plain case.

        As durable as `write`, with the same meaning of `request` and `digest`, and what it raises but for
        a Conflict. None: nothing was done, and a unit has to do it.
        """
        ...

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after each commit that wrote events; returns what ends that.

        Also after those of other processes, and once too often rather than never.
        """
        ...

    def listen(self, channel: str, heard: Callable[[str], None]) -> Callable[[], None]:
        """Call `heard` with each text that is notified there, by whichever process; returns what ends that.

        With "" when something may have been missed: look for it. It only sets something, and may be
        called from any thread.
        """
        ...

    def scrub(self) -> None:
        """Make what was deleted unreadable for good: in logs, free pages and backups.

        Raises Unavailable when somewhere it could not; what was deleted stays deleted.
        """
        ...

    def close(self) -> None:
        """Finish what was accepted, then let go of the store."""
        ...
