"""Whose rows changed: the event log says so, as nothing changes without an event.

So nothing else has to be kept about what is new, and a save costs what it costs without an archive.
An event names its row; what it changed beside that is found from there:

- setting an intent ends the one before it in the same context;
- a context that was renamed, restored or closed changes what stands with each of its entries;
- a claim's events name the claim in their payload. (Renewals have no event, and the archive has a claim's
  end as it was when it began or ended.)
"""

from __future__ import annotations

import msgspec

from zdriver.storage.port import Reading, Row

_CONTEXT = "context:"


class _Payload(msgspec.Struct):
    claim: str = ""


class _Envelope(msgspec.Struct):
    payload: _Payload = msgspec.field(default_factory=_Payload)


_decode = msgspec.json.Decoder(_Envelope).decode


def entries_of(tx: Reading, events: list[Row]) -> list[Row]:
    """Rows of `archive.entries`. What is gone since is left out: it was forgotten, or pruned."""
    found: dict[str, Row] = {}
    whole = {_context(event) for event in events if event["type"].startswith(_CONTEXT[:-1] + ".")}
    for context_id in sorted(whole - {""}):
        rows = tx.all("archive.of_context", context_id=context_id, all_types=1, seq=0)
        found.update((row["id"], row) for row in rows)
    first: dict[str, int] = {}  #: context → `seq` of the first intent in it that was set, or -1: unknown
    for event in events:
        context_id = _context(event)
        if not context_id or context_id in whole:
            continue
        row = found.get(event["subject"]) or tx.one("archive.entry", id=event["subject"])
        if row is not None:
            found[row["id"]] = row
        if event["type"].startswith("intent."):
            known = -1 if row is None or row["context_id"] != context_id else int(row["seq"])
            first[context_id] = min(first.get(context_id, known), known)
    for context_id, seq in first.items():
        found.update((row["id"], row) for row in _ended(tx, context_id, seq))
    return sorted(found.values(), key=lambda row: int(row["seq"]))


def _ended(tx: Reading, context_id: str, seq: int) -> list[Row]:
    """The context's intents from the one before `seq` on."""
    before = tx.one("archive.intent_before", context_id=context_id, seq=seq) if seq > 0 else None
    begin = int(before["seq"] or 0) if before is not None else 0
    return tx.all("archive.of_context", context_id=context_id, all_types=0, seq=begin)


def claims_of(tx: Reading, events: list[Row]) -> list[Row]:
    """Rows of `archive.claims`."""
    ids: dict[str, None] = {}
    for event in events:
        if event["aggregate"].startswith("worktree:") and (id_ := _claim(bytes(event["envelope"]))):
            ids[id_] = None
    rows = (tx.one("archive.claim", id=id_) for id_ in ids)
    return [row for row in rows if row is not None]


def _context(event: Row) -> str:
    aggregate = str(event["aggregate"])
    return aggregate.removeprefix(_CONTEXT) if aggregate.startswith(_CONTEXT) else ""


def _claim(envelope: bytes) -> str:
    try:
        return _decode(envelope).payload.claim
    except msgspec.DecodeError:  # "claim" is something else in this one
        return ""
