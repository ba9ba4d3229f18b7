"""What else tells of a context that is forgotten: restores, Zellij servers, events, kept answers,
contexts that it took over.

Not the names of Zellij sessions: events are ordered by them, and others may stand in the same session.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from zdriver.core.ids import new_id
from zdriver.events.envelope import TEXTS, unseal, without_texts
from zdriver.storage.port import SCRUB_OWED, Row, Transaction


def owe_scrub(tx: Transaction) -> None:
    """What this transaction deletes has to go from the files as well, whatever happens after it."""
    tx.run("meta.put", key=SCRUB_OWED, value=new_id())


def tell_archive(tx: Transaction, kind: str, id_: str) -> None:
    """What this transaction deletes has to go from the archive as well, if there ever was one.

    kind  entry, context, place (`id_` is JSON [host, zellij_session, root]), event (its `sequence`)
    """
    if tx.one("archive.any") is not None:
        tx.run("archive.owe", kind=kind, id=id_)


def erase_place(tx: Transaction, context: Row, sessions: Iterable[str], host: str) -> None:
    """For a context that goes as a whole: its root is told nowhere any more, as far as it is its own.

    `context` is its row, `sessions` the Zellij sessions that its snapshots were taken of. What is
    still open goes on being recorded: a server that runs keeps its root.
    """
    root, names = context["root"], {context["zellij_session"], *sessions}
    for event in tx.all("event.of_aggregate", aggregate=f"context:{context['id']}"):
        names.add(unseal(event["envelope"]).payload.get("from_zellij_session", ""))
        _rewrite(tx, event)
    _erase_taken_over(tx, root, host)
    for name in sorted(names):
        at = {"host": host, "zellij_session": name, "root": root}
        if tx.one("context.another_at", id=context["id"], **at) is not None:
            continue  # they are that one's as well
        for event in tx.all("event.of_aggregate", aggregate=f"zellij_session:{host}/{name}"):
            if unseal(event["envelope"]).payload.get("root") == root:
                _rewrite(tx, event)
        tell_archive(tx, "place", msgspec.json.encode([host, name, root]).decode())
        tx.run("restore.forget_place", **at)
        tx.run("restore.forget_server", **at)
    quoted = msgspec.json.encode(root).decode().removesuffix('"')
    for ending in ('"', "/"):
        tx.run("request.forget_text", text=f"{quoted}{ending}")


def _erase_taken_over(tx: Transaction, root: str, host: str) -> None:
    """Closed contexts at this root of which nothing is left: their entries joined one that is gone."""
    for row in tx.all("context.closed_at_root", host=host, root=root):
        if tx.all("entry.of_context", context_id=row["id"]):
            continue
        events = tx.all("event.of_aggregate", aggregate=f"context:{row['id']}")
        if any(tx.one("entry.by_id", id=event["subject"]) for event in events):
            continue  # what it told lives on in another one
        for event in events:
            _rewrite(tx, event)
        tx.run("request.forget", id=row["id"])
        tell_archive(tx, "context", row["id"])
        tx.run("context.delete", id=row["id"])


def _rewrite(tx: Transaction, event: Row) -> None:
    tell_archive(tx, "event", str(event["sequence"]))
    tx.run("event.rewrite", sequence=event["sequence"], envelope=without_texts(event["envelope"], TEXTS))
