"""Deleting for good: rows, search words, texts in the event log, answers kept for repeats."""

from __future__ import annotations

from typing import Any

from zdriver.context import erasing, resolving, rows, rules
from zdriver.context.model import Context, Forgotten, Meant
from zdriver.core.errors import Ambiguous, InvalidInput, NotFound
from zdriver.core.ids import short
from zdriver.events.envelope import without_texts
from zdriver.storage.port import Reading, Transaction

#: Begin of the keys in `meta` that name what was forgotten here: it may still be on another machine, and
#: is not to come back from there.
FORGOTTEN = "forgotten/"
#: A shorter end of an id could mean something else tomorrow.
END_MIN = 4

Row = dict[str, Any]


def forget(
    tx: Transaction, ids: tuple[str, ...], host: str, *, archived: tuple[Meant, ...] = ()
) -> Forgotten:
    """Raises NotFound, Ambiguous, InvalidInput: then nothing is deleted.

    archived  entries that were pruned here: the archive is told, and their events lose their texts there
    """
    erasing.owe_scrub(tx)
    for each in archived:
        erasing.tell_archive(tx, "entry", each.id)
        assert each.entry is not None
        tx.emit(resolving.event(f"{each.entry.type}.forgotten", each.context, each.id))
    contexts: dict[str, Row] = {}
    entries: dict[str, Row] = {}
    for given in ids:
        row = _row(tx, given)
        (entries if "type" in row else contexts)[row["id"]] = row
    for id_ in contexts:
        entries.update((row["id"], row) for row in tx.all("entry.of_context", context_id=id_))
    owners = {row["context_id"]: row for row in entries.values()}
    for id_ in sorted({*owners, *contexts}):
        forgotten = {row["id"] for row in entries.values() if row["context_id"] == id_}
        _forget_told(tx, id_, forgotten, whole=id_ in contexts, host=host)
    for row in entries.values():
        _forget_entry(tx, row)
        if row["context_id"] not in contexts:
            _tell(tx, row)
    snapshots = sum(_forget_context(tx, row, host) for row in contexts.values())
    kinds = [row["type"] for row in entries.values()]
    kinds += [each.entry.type for each in archived if each.entry is not None]
    return Forgotten(intents=kinds.count("intent"), milestones=kinds.count("milestone"), snapshots=snapshots)


def meant(tx: Reading, ids: tuple[str, ...], host: str) -> list[Meant]:
    """What `forget` would delete. Raises as it does."""
    found = {row["id"]: row for row in (_row(tx, given) for given in ids)}
    return [_of_entry(tx, row) if "type" in row else _of_context(tx, row, host) for row in found.values()]


def _of_entry(tx: Reading, row: Row) -> Meant:
    whole = tx.one("entry.whole", id=row["id"])
    assert whole is not None
    entry = rows.entry(whole)
    is_intent = entry.type == "intent"
    return Meant(
        id=entry.id,
        entry=entry,
        context=entry.context,
        at=entry.at,
        intents=int(is_intent),
        milestones=int(not is_intent),
        snapshots=0,
    )


def _of_context(tx: Reading, row: Row, host: str) -> Meant:
    entries = tx.all("entry.of_context", context_id=row["id"])
    last = max(entries, key=lambda entry: int(entry["seq"]))["id"] if entries else ""
    newest = tx.one("entry.whole", id=last)
    kinds = [entry["type"] for entry in entries]
    return Meant(
        id=row["id"],
        entry=None,
        context=rows.context(row),
        at=None if newest is None else rows.entry(newest).at,
        intents=kinds.count("intent"),
        milestones=kinds.count("milestone"),
        snapshots=len(_generations(tx, row, host)),
    )


def _generations(tx: Reading, row: Row, host: str) -> list[Row]:
    """Of a context's snapshots."""
    return tx.all(
        "snapshot.of_context", host=host, zellij_session=row["zellij_session"], root=row["root"], id=row["id"]
    )


def _row(tx: Reading, given: str) -> Row:
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


def _forget_told(tx: Transaction, context_id: str, ids: set[str], *, whole: bool, host: str) -> None:
    """Take the texts of the entries `ids` out of the event log and out of kept answers.

    Events are found by their context, since an index by entry would cost every save more
    than a search costs here. What a closed context told joined another one at the same root.
    """
    context = tx.one("context.by_id", id=context_id)
    assert context is not None
    earlier = tx.all("context.closed_at_root", host=host, root=context["root"])
    for id_ in sorted({context_id, *(row["id"] for row in earlier)}):
        all_of_it = whole and id_ == context_id
        for event in tx.all("event.of_aggregate", aggregate=f"context:{id_}"):
            if all_of_it or event["subject"] in ids:
                texts = ("text", "artifacts", "context") if all_of_it else ("text", "artifacts")
                envelope = without_texts(event["envelope"], texts)
                tx.run("event.rewrite", sequence=event["sequence"], envelope=envelope)
                erasing.tell_archive(tx, "event", str(event["sequence"]))
        if whole:
            # An answer names its context; a repeat of it would be of an entry that is gone.
            tx.run("request.forget", id=id_)
    for entry in () if whole else sorted(ids):
        tx.run("request.forget", id=entry)


def _forget_entry(tx: Transaction, row: Row) -> None:
    tx.run("meta.put", key=f"{FORGOTTEN}{row['id']}", value="")
    tx.run("search.remove", seq=row["seq"])
    tx.run("entry.detach", id=row["id"], context_id=row["context_id"])
    tx.run("entry.delete", seq=row["seq"])
    erasing.tell_archive(tx, "entry", row["id"])


def _tell(tx: Transaction, row: Row) -> None:
    context = tx.one("context.by_id", id=row["context_id"])
    assert context is not None
    tx.emit(resolving.event(f"{row['type']}.forgotten", rows.context(context), row["id"]))


def _forget_context(tx: Transaction, row: Row, host: str) -> int:
    """The context itself and its snapshots. Returns how many of those."""
    generations = _generations(tx, row, host)
    erasing.erase_place(tx, row, {snapshot["zellij_session"] for snapshot in generations}, host)
    for snapshot in generations:
        # Answers kept for repeats: of saving and restoring it, and of undoing that.
        tx.run("request.forget", id=f'"generation":{snapshot["generation"]},')
        for restored in tx.all("restore.of_generation", generation=snapshot["generation"]):
            tx.run("request.forget", id=restored["id"])
        forget_snapshot(tx, snapshot["generation"])
    tx.run("snapshot.drop_unused_blobs")
    erasing.tell_archive(tx, "context", row["id"])
    carried = tx.one("hot.carries", id=row["id"])
    if carried is not None:
        tx.run("meta.put", key=f"{FORGOTTEN}{carried['parent_id']}", value="")
    tx.run("meta.put", key=f"{FORGOTTEN}{row['id']}", value="")
    tx.run("context.delete", id=row["id"])
    nameless = Context(id=row["id"], zellij_session="", root="")
    tx.emit(resolving.event("context.forgotten", nameless, row["id"]))
    return len(generations)


def forget_snapshot(tx: Transaction, generation: int) -> None:
    """One generation, with what restoring remembers of it. Its blobs stay until they are swept."""
    tx.run("snapshot.forget_restores", generation=generation)
    tx.run("snapshot.unlink_blobs", generation=generation)
    tx.run("snapshot.delete", generation=generation)
