"""What of the event log is still to be delivered to one sink: rows of `deliveries`, read and written."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from zdriver.events.sinks import Outgoing
from zdriver.storage.port import Row, Store, Transaction


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """An event that was refused; what comes after it in its aggregate waits for it."""

    aggregate: str
    aggregate_seq: int
    until: int  #: µs


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How many events a sink has not got."""

    lag: int = 0  #: still to go
    aside: int = 0  #: set aside


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What is noted of a refused event."""

    sequence: int
    attempts: int
    next_at: int  #: µs, or NEVER
    error: str


class Book:
    """Every method raises Unavailable when the store does."""

    def __init__(self, store: Store, sink: str) -> None:
        self.store = store
        self.sink = sink

    def after(self, sequence: int, limit: int) -> list[Outgoing]:
        """The first that are due behind `sequence`, in the order of the log."""
        return self._outgoing(
            self.store.read(
                lambda tx: tx.all("relay.after", sink=self.sink, after=sequence, now=tx.now(), limit=limit)
            )
        )

    def of_aggregate(self, aggregate: str, from_seq: int, limit: int) -> list[Outgoing]:
        """The first of one aggregate, in its order, but for those set aside."""
        return self._outgoing(
            self.store.read(
                lambda tx: tx.all(
                    "relay.of_aggregate",
                    sink=self.sink,
                    aggregate=aggregate,
                    from_seq=from_seq,
                    limit=limit,
                )
            )
        )

    def held(self) -> list[Held]:
        rows = self.store.read(lambda tx: tx.all("relay.held", sink=self.sink))
        return [
            Held(aggregate=row["aggregate"], aggregate_seq=row["aggregate_seq"], until=row["next_at"])
            for row in rows
        ]

    def newest(self) -> int:
        """The last event's place in the log."""
        row = self.store.read(lambda tx: tx.one("event.newest"))
        return int(row["sequence"] or 0) if row else 0

    def standing(self) -> Standing:
        row = self.store.read(lambda tx: tx.one("relay.standing", sink=self.sink))
        return Standing(**row) if row else Standing()

    def lag(self) -> int:
        """Events that are still to go."""
        return self.standing().lag

    def now(self) -> int:
        """The store's clock, µs."""
        return self.store.read(lambda tx: tx.now())

    def settle(self, accepted: Sequence[int], refused: Sequence[Refusal]) -> None:
        """Forget what arrived, note what was refused. It frees room, so a full disk does not stop it."""

        def unit(tx: Transaction) -> None:
            if accepted:
                tx.run("relay.sent", sink=self.sink, sequences=msgspec.json.encode(accepted).decode())
            for each in refused:
                tx.run("relay.refused", sink=self.sink, **msgspec.structs.asdict(each))

        if accepted or refused:
            self.store.write(unit, urgent=True, timeout=30.0)

    @staticmethod
    def _outgoing(rows: list[Row]) -> list[Outgoing]:
        return [Outgoing(**row) for row in rows]
