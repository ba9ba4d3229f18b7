"""Bloodbank's event envelope, first generation: what lies in the event log and goes to RabbitMQ.

JSON: `event_id`, `event_type` (the routing key), `timestamp` (ISO 8601, UTC), `version`,
`source{host,type,app,meta}`, `correlation_ids`, `agent_context`, `payload`. Its bytes are
frozen when the event is committed, so that every consumer, now or later, gets the same.
"""

from __future__ import annotations

import socket
from functools import cache
from typing import Any

import msgspec

from zdriver.core.clock import to_datetime

VERSION = "1.0.0"
APP = "zdriver"

#: Everything in a payload that says what was meant, and where: what forgetting takes out.
TEXTS = (
    *("text", "artifacts", "context", "root", "zellij_session", "from_zellij_session"),
    *("from_host", "from_root"),
)

#: zdriver's sources → Bloodbank's.
_SOURCES = {"manual": "manual", "agent": "agent", "automated": "hook"}


class Source(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    type: str  #: manual, agent, scheduled, heartbeat, file_watch, hook, webhook or service
    app: str = APP
    meta: dict[str, Any] = {}


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    event_id: str
    event_type: str
    timestamp: str
    source: Source
    payload: dict[str, Any]
    version: str = VERSION
    correlation_ids: tuple[str, ...] = ()
    agent_context: dict[str, Any] | None = None


@cache
def _host() -> str:
    return socket.gethostname()


@cache
def _source(type_: str) -> Source:
    return Source(host=_host(), type=type_)


def seal(id_: str, type_: str, at: int, payload: dict[str, Any]) -> bytes:
    """The envelope's bytes. `at` is in µs; the payload's `source` says who did it."""
    return msgspec.json.encode(
        Envelope(
            event_id=id_,
            event_type=type_,
            timestamp=to_datetime(at).isoformat().replace("+00:00", "Z"),
            source=_source(_SOURCES.get(str(payload.get("source")), "service")),
            payload=payload,
        )
    )


def unseal(data: bytes) -> Envelope:
    """Raises msgspec.ValidationError or msgspec.DecodeError when `data` is no envelope."""
    return msgspec.json.decode(data, type=Envelope)


def without_texts(data: bytes, texts: tuple[str, ...] = ("text", "artifacts")) -> bytes:
    """The envelope with the payload's texts taken out, and `forgotten` in their place."""
    envelope = unseal(data)
    payload = {key: value for key, value in envelope.payload.items() if key not in texts}
    return msgspec.json.encode(msgspec.structs.replace(envelope, payload={**payload, "forgotten": True}))
