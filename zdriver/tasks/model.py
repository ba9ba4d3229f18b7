"""The nouns of tasks."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

#: queued: nobody has it; taken: somebody works at it, until `expires_at`.
State = Literal["queued", "taken", "done"]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an agent is to do."""

    id: str  #: that of the event it came with: so it comes once
    title: str
    text: str = ""
    repo: str = ""  #: as it was given: a URL, or a path
    worktree: str = ""  #: name of the worktree it is to be done in
    agent: str = ""  #: who is to do it; "": whoever takes it
    origin: str  #: who assigned it: "app@host"
    state: State
    added_at: datetime
    holder: str = ""  #: the agent that has, or had, it
    taken_at: datetime | None = None
    expires_at: datetime | None = None  #: then another may take it
    done_at: datetime | None = None
    attempts: int = 0  #: how many times it was taken: names the holder's turn
    payload: dict[str, Any] = {}  #: all that came with it


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A task as it arrives, before it is stored."""

    id: str
    title: str
    text: str = ""
    repo: str = ""
    worktree: str = ""
    agent: str = ""
    origin: str
    payload: dict[str, Any] = {}
