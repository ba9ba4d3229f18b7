"""Deleting for good: rows, search words, texts in the event log, answers kept for repeats."""

from __future__ import annotations

from typing import Any

from zdriver.context import resolving, rows, rules
from zdriver.context.model import Context, Forgotten
from zdriver.core.errors import Ambiguous, InvalidInput, NotFound
from zdriver.core.ids import short
from zdriver.events.envelope import without_texts
from zdriver.storage.port import Reading, Transaction

#: Less of an id could mean something else tomorrow.
END_MIN = 4

Row = dict[str, Any]


def forget(tx: Transaction, ids: tuple[str, ...], host: str) -> Forgotten:
    """Raises NotFound, Ambiguous, InvalidInput: then nothing is deleted."""
    contexts: dict[str, Row] = {}
    entries: dict[str, Row] = {}
    for given in ids:
        row = _meant(tx, given)
        (entries if "type" in row else contexts)[row["id"]] = row
    for id_ in contexts:
        entries.update((row["id"], row) for row in tx.all("entry.of_context", context_id=id_))
    for row in entries.values():
        _forget_entry(tx, row, whole=row["context_id"] in contexts)
    snapshots = sum(_forget_context(tx, row, host) for row in contexts.values())
    kinds = [row["type"] for row in entries.values()]
    return Forgotten(intents=kinds.count("intent"), milestones=kinds.count("milestone"), snapshots=snapshots)


def _meant(tx: Reading, given: str) -> Row:
    """The row of the one entry or context that has this id or end of an id."""
    end = rules.id_end(given)
    if len(end) < END_MIN:
        if given.strip() and end:
            raise InvalidInput(f"{given!r} is too short for an id", hint=f"give {END_MIN} characters or more")
        raise NotFound(f"there is nothing with the id {given!r}", hint="zdriver history --json shows ids")
    exact = tx.one("entry.by_id", id=end) or tx.one("context.by_id", id=end)
    if exact is not None:
        return exact
    found = tx.all("entry.by_end", end=end) + tx.all("context.by_end", end=end)
    if not found:
        raise NotFound(f"there is nothing with the id {given!r}", hint="zdriver history --json shows ids")
    if len(found) > 1:
        raise Ambiguous(
            f"{given!r} ends several ids: {', '.join(short(row['id']) for row in found[:5])}",
            hint="give more of the id",
        )
    return found[0]


def _forget_entry(tx: Transaction, row: Row, *, whole: bool) -> None:
    tx.run("search.remove", seq=row["seq"])
    tx.run("entry.detach", id=row["id"])
    tx.run("entry.delete", seq=row["seq"])
    tx.run("request.forget", id=row["id"])
    for event in tx.all("event.about", subject=row["id"]):
        tx.run("event.rewrite", sequence=event["sequence"], envelope=without_texts(event["envelope"]))
    if not whole:
        context = tx.one("context.by_id", id=row["context_id"])
        assert context is not None
        tx.emit(resolving.event(f"{row['type']}.forgotten", rows.context(context), row["id"]))


def _forget_context(tx: Transaction, row: Row, host: str) -> int:
    """The context itself, its events' texts and its snapshots. Returns how many of those."""
    tx.run("request.forget", id=row["id"])
    for event in tx.all("event.of_aggregate", aggregate=f"context:{row['id']}"):
        envelope = without_texts(event["envelope"], ("text", "artifacts", "context"))
        tx.run("event.rewrite", sequence=event["sequence"], envelope=envelope)
    generations = tx.all(
        "snapshot.of_context", host=host, zellij_session=row["zellij_session"], root=row["root"], id=row["id"]
    )
    for snapshot in generations:
        forget_snapshot(tx, snapshot["generation"])
    tx.run("snapshot.drop_unused_blobs")
    tx.run("context.delete", id=row["id"])
    nameless = Context(id=row["id"], zellij_session="", root="")
    tx.emit(resolving.event("context.forgotten", nameless, row["id"]))
    return len(generations)


def forget_snapshot(tx: Transaction, generation: int) -> None:
    """One generation, with what restoring remembers of it. Its blobs stay until they are swept."""
    tx.run("snapshot.forget_restores", generation=generation)
    tx.run("snapshot.unlink_blobs", generation=generation)
    tx.run("snapshot.delete", generation=generation)
