"""Events in words, a line each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from zdriver.cli.output import home_relative, printable
from zdriver.events.envelope import Envelope

#: Who an event comes from, where no agent is named; a service is nobody.
_SOURCES = {"manual": "by hand", "service": ""}
#: More of an event than its name: key of the payload → how it is said.
_MORE = (
    ("to", "→ {}"),
    ("worktrees", "in {}"),
    ("from_zellij_session", "was {}"),
    ("from_host", "left on {}"),
    ("panes", "{} panes"),
    ("made", "{} made"),
    ("updated", "{} updated"),
    ("removed", "{} removed"),
    ("failures", "{} failed"),
    ("token", "token {}"),
    ("by", "by {}"),
    ("reason", "({})"),
)
_PATHS = frozenset({"to"})


def moment(timestamp: str, now: datetime) -> str:
    """In the zone of `now`: 14:05:09 today, else with the date."""
    at = datetime.fromisoformat(timestamp).astimezone(now.tzinfo)
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M:%S}"


def what(event: Envelope) -> str:
    """What it happened to, and what more there is to know of it; in one harmless line."""
    payload = event.payload
    parts = [subject(payload)]
    if payload.get("branch") not in (None, "", payload.get("name")):
        parts.append(f"on {payload['branch']}")
    for key, form in _MORE:
        if said := _said(key, payload.get(key)):
            parts.append(form.format(said))
    return printable(" ".join(part for part in parts if part))


def subject(payload: Mapping[str, Any]) -> str:
    """A text, a worktree, a hook, a session or a folder: whatever it names first."""
    for key in ("text", "name", "worktree", "hook", "zellij_session"):
        if found := payload.get(key):
            return str(found)
    of = payload.get("context")
    if isinstance(of, dict) and of.get("root"):
        return home_relative(str(of["root"]))
    return home_relative(str(payload.get("repo") or payload.get("container") or ""))


def who(event: Envelope) -> str:
    agent = event.payload.get("agent")
    if isinstance(agent, str) and agent:
        return printable(agent)
    return _SOURCES.get(event.source.type, printable(event.source.type))


def _said(key: str, value: object) -> str:
    """ "" for what is not there, or none."""
    if not value or isinstance(value, bool | dict):
        return ""
    if isinstance(value, list):
        names = ", ".join(str(each) for each in value[:3])
        return f"{names} and {len(value) - 3} more" if len(value) > 3 else names
    return home_relative(str(value)) if key in _PATHS else str(value)
