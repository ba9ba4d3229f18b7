"""What a task may be: pure decisions, no I/O."""

from __future__ import annotations

import re
from typing import Any

from zdriver.core.errors import Conflict, InvalidInput
from zdriver.core.redact import redact_text
from zdriver.events.envelope import APP, Envelope
from zdriver.tasks.model import Assignment, Task

#: The event that brings one.
ASSIGNED = "task.assigned"
#: Seconds that a task is taken for.
LEASE, LEASE_MIN, LEASE_MAX = 1800.0, 1.0, 7 * 86_400.0
TITLE_MAX, TEXT_MAX, WORD_MAX = 200, 100_000, 1000
AGENT_MAX = 200
LIMIT_MAX = 1000
#: Bytes of an event that may become a task.
SIZE_MAX = 1_000_000

_ID = re.compile(r"[0-9A-Za-z._:-]{1,100}")


def assignment(envelope: Envelope) -> Assignment | None:
    """The task that an event brings; None for zdriver's own: those say what happened here.

    The payload's `title` (else the first line of `text` or `description`), `text`, `repo`,
    `worktree`, `agent` (or `assignee`). Raises InvalidInput for what is no task.
    """
    if envelope.source.app == APP:
        return None
    if envelope.event_type != ASSIGNED:
        raise InvalidInput(f"{envelope.event_type[:100]!r} assigns no task", hint=f"send {ASSIGNED}")
    payload = redacted(envelope.payload)
    text = _text(payload, "text", "description")
    title = " ".join((_text(payload, "title") or text.strip().partition("\n")[0]).split())
    if not title:
        raise InvalidInput("the task has neither a title nor a text", hint="give the payload a `title`")
    if len(text) > TEXT_MAX:
        raise InvalidInput(f"the task's text has more than {TEXT_MAX:,} characters", hint="send a link to it")
    return Assignment(
        id=identity(envelope.event_id),
        title=title if len(title) <= TITLE_MAX else title[: TITLE_MAX - 1] + "…",
        text=text,
        repo=_word(payload, "repo"),
        worktree=_word(payload, "worktree"),
        agent=_word(payload, "agent", "assignee")[:AGENT_MAX],
        origin=redacted(f"{envelope.source.app}@{envelope.source.host}")[:WORD_MAX],
        payload=payload,
    )


def redacted(value: Any) -> Any:
    """The same without secrets in its texts, and without what a store cannot hold (NUL, surrogates)."""
    if isinstance(value, str):
        clean = value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
        return redact_text(clean)[0]
    if isinstance(value, dict):
        return {redacted(key): redacted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [redacted(each) for each in value]
    return value


def _text(payload: dict[str, Any], *names: str) -> str:
    """The first of these that is there. Raises InvalidInput for what is no text."""
    for name in names:
        value = payload.get(name)
        if value is None or value == "":
            continue
        if not isinstance(value, str):
            raise InvalidInput(f"the task's {name} is no text", hint="give it as a string")
        return value
    return ""


def _word(payload: dict[str, Any], *names: str) -> str:
    return " ".join(_text(payload, *names).split())[:WORD_MAX]


def identity(given: str) -> str:
    """Raises InvalidInput for what names no task."""
    if not _ID.fullmatch(given):
        raise InvalidInput(f"{given[:50]!r} is no id of a task", hint="`zdriver task list` shows them")
    return given


def agent(given: str) -> str:
    """Raises InvalidInput."""
    line = " ".join(given.split())
    if not line or len(line) > AGENT_MAX or not line.isprintable():
        raise InvalidInput(
            f"an agent is a line of 1 to {AGENT_MAX} characters", hint="--agent, or $ZDRIVER_AGENT: claude-1"
        )
    return line


def lease(seconds: float) -> int:
    """In µs; 0 is the default. Raises InvalidInput."""
    seconds = seconds or LEASE
    if not LEASE_MIN <= seconds <= LEASE_MAX:  # so is what is no number
        raise InvalidInput(f"a task cannot be taken for {seconds:g} s", hint="give 1 second to 7 days")
    return round(seconds * 1_000_000)


def turn(given: int) -> int:
    """Raises InvalidInput for one that was never given out."""
    if not 1 <= given < 2**31:
        raise InvalidInput(f"there is no turn {given}", hint="give the `attempts` of the task as you took it")
    return given


def lost(task: Task, agent: str) -> Conflict:
    """It is not, or not any more, the agent's."""
    if task.state == "done":
        what = f"{task.holder} has done it"
    elif task.state == "taken":
        what = f"{task.holder} has it (turn {task.attempts})"
    else:
        what = "nobody has it"
    return Conflict(
        f"the task {task.title!r} is not {agent}'s: {what}", hint="take another one; this one goes on there"
    )
