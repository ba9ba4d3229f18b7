"""A message of the audit's queue → a row of the table `audit`. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from zdriver.events.consuming import Message
from zdriver.events.envelope import unseal

#: Letters of an id and of an aggregate: more do not fit into an index.
LONGEST = 500


class Row(msgspec.Struct, frozen=True, kw_only=True):
    tag: int  #: of the message
    event_id: str
    type: str
    aggregate: str  #: "" of what others published without it
    aggregate_seq: int | None
    at: datetime
    envelope: str


def row(message: Message) -> Row | None:
    """None when the message is no event: no envelope of ours or Bloodbank's, or none that can be kept."""
    try:
        envelope = unseal(message.body)
        at = datetime.fromisoformat(envelope.timestamp)
        text = message.body.decode()
    except (msgspec.MsgspecError, ValueError):
        return None
    aggregate = message.headers.get("aggregate")
    number = message.headers.get("aggregate_seq")
    aggregate = aggregate if isinstance(aggregate, str) else ""
    longest = max(len(envelope.event_id), len(envelope.event_type), len(aggregate))
    if not envelope.event_id or longest > LONGEST or "\0" in text:
        return None
    return Row(
        tag=message.tag,
        event_id=envelope.event_id,
        type=envelope.event_type,
        aggregate=aggregate,
        aggregate_seq=number if type(number) is int else None,  # True is an int as well
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        envelope=text,
    )
