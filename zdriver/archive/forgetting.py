"""What was forgotten in a store is forgotten in its archive, too.

`forget` notes in its own transaction what it deleted (`archive_owed`); a later run deletes the same
here. Events that the store rewrote are sent again; of those that it has no more, because they were
pruned, the texts are taken out here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from zdriver.archive.target import Changing, Target
from zdriver.events.envelope import TEXTS, unseal, without_texts
from zdriver.storage.port import Row

_ENTRY_TEXTS = ("text", "artifacts")
_EVENTS = "SELECT id, envelope::text AS envelope FROM archive_events WHERE store = %(store)s AND "


def forget(target: Target, owed: Sequence[Row], event: Callable[[int], Row | None]) -> None:
    """Do all of `owed` (rows of `archive.owed`), in one transaction; twice is once.

    event  the store's own row of an event, by `sequence`
    """
    with target.changing() as changing:
        for row in owed:
            match row["kind"]:
                case "entry":
                    _entry(changing, row["id"])
                case "context":
                    _context(changing, row["id"])
                case "place":
                    host, session, root = msgspec.json.decode(row["id"], type=tuple[str, str, str])
                    _place(changing, host, session, root)
                case "event":
                    _event(changing, event(int(row["id"])))


def _entry(tx: Changing, id_: str) -> None:
    gone = tx.all(
        "DELETE FROM archive_entries WHERE store = %(store)s AND id = %(id)s RETURNING context_id", id=id_
    )
    for row in gone:
        tx.run(
            "UPDATE archive_entries SET intent_id = NULL"
            " WHERE store = %(store)s AND context_id = %(context)s AND intent_id = %(id)s",
            context=row["context_id"],
            id=id_,
        )
    # Not the event that says that it was forgotten: it tells nothing else, and stays as the store has it.
    told = "subject = %(id)s AND aggregate LIKE 'context:%%' AND type NOT LIKE '%%.forgotten'"
    for row in tx.all(_EVENTS + told, id=id_):
        _rewrite(tx, row, _ENTRY_TEXTS)


def _context(tx: Changing, id_: str) -> None:
    tx.run("DELETE FROM archive_entries WHERE store = %(store)s AND context_id = %(id)s", id=id_)
    told = "aggregate = %(aggregate)s AND type <> 'context.forgotten'"
    for row in tx.all(_EVENTS + told, aggregate=f"context:{id_}"):
        _rewrite(tx, row, TEXTS)


def _place(tx: Changing, host: str, session: str, root: str) -> None:
    """A root that is told nowhere any more, in one Zellij session of one machine."""
    at = {"host": host, "session": session, "root": root}
    tx.run(
        "DELETE FROM archive_snapshots WHERE store = %(store)s AND host = %(host)s"
        " AND zellij_session = %(session)s AND root = %(root)s",
        **at,
    )
    for row in tx.all(_EVENTS + "aggregate = %(aggregate)s", aggregate=f"zellij_session:{host}/{session}"):
        if unseal(row["envelope"].encode()).payload.get("root") == root:
            _rewrite(tx, row, TEXTS)


def _event(tx: Changing, row: Row | None) -> None:
    """As the store has it now. One that the store does not have was pruned, or lost: see above."""
    if row is not None:
        _replace(tx, row["id"], bytes(row["envelope"]).decode())


def _rewrite(tx: Changing, row: Row, texts: tuple[str, ...]) -> None:
    changed = without_texts(row["envelope"].encode(), texts).decode()
    if changed != row["envelope"]:
        _replace(tx, row["id"], changed)


def _replace(tx: Changing, id_: str, envelope: str) -> None:
    """In the audit as well, which has the same bytes."""
    given = {"id": id_, "envelope": envelope}
    tx.run(
        "UPDATE archive_events SET envelope = %(envelope)s::json WHERE store = %(store)s AND id = %(id)s",
        **given,
    )
    tx.run("UPDATE audit SET envelope = %(envelope)s::json WHERE event_id = %(id)s", **given)
