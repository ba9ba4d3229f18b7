"""The nouns of claims."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

Ended = Literal["", "released", "expired", "taken"]


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One agent's (or person's) exclusive, leased hold on a worktree."""

    id: str
    worktree_id: str
    worktree: str  #: its name
    path: str
    agent: str
    token: int  #: grows with every claim of this worktree; what is older is refused
    host: str  #: id of the machine
    claimed_at: datetime
    expires_at: datetime
    lease: float  #: seconds
    pid: int | None = None
    session: str = ""
    ended_at: datetime | None = None
    ended: Ended = ""
    reason: str = ""  #: why it was taken over by force
    waiting: int = 0  #: who waits for it
    again: bool = False  #: its agent held it already when it was asked for
    hostname: str = ""  #: of the machine, where several share the store; "": this one


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """How a place in the queue stands."""

    ticket: str  #: names the place: give it when asking again
    claim: Claim | None = None  #: yours, once it is your turn
    ahead: int = 0  #: who comes before
    holder: Claim | None = None  #: while it is not
