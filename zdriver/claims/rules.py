"""What a claim may be, and what is said of one: pure decisions, no I/O."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime

from zdriver.claims.model import Claim
from zdriver.core.errors import Conflict, InvalidInput
from zdriver.core.redact import redact_text

#: Seconds: where nothing beats, and where something does.
LEASE, BEATEN = 1800.0, 60.0
LEASE_MIN, LEASE_MAX = 1.0, 7 * 86_400.0
#: A beat comes this many times in a lease.
BEATS = 3
#: Seconds that a call waits in the daemon; that a place in the queue is kept without one; and that
#: who is next has to pick up what it was given.
ASK, KEPT, PICK_UP = 20.0, 30.0, 30.0
#: Seconds after which it is looked whether another daemon ended or granted a claim without a word:
#: while somebody waits here, and while nobody does.
LOOK, LOOK_IDLE = 1.0, 30.0
AGENT_MAX, REASON_MAX, SESSION_MAX = 200, 1000, 200
LIMIT_MAX = 1000
#: As far as the system, and the store, count.
PID_MAX, TOKEN_MAX = 2**31 - 1, 2**63 - 1

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def agent(given: str) -> str:
    """Raises InvalidInput."""
    return _line(given, "agent", AGENT_MAX, hint="--agent, or $ZDRIVER_AGENT: claude-1")


def reason(given: str) -> str:
    """Without secrets. Raises InvalidInput."""
    line = _line(given, "reason", REASON_MAX, hint="say why in a sentence: --reason TEXT")
    return redact_text(line)[0][:REASON_MAX]


def session(given: str) -> str:
    return _line(given, "session", SESSION_MAX, hint="a Zellij session's name") if given else ""


def _line(given: str, what: str, longest: int, *, hint: str) -> str:
    line = " ".join(given.split())
    if not line:
        raise InvalidInput(f"the {what} is empty", hint=hint)
    if len(line) > longest:
        raise InvalidInput(f"the {what} has more than {longest} characters", hint=hint)
    if not line.isprintable() and any(unicodedata.category(each) in ("Cc", "Cs") for each in line):
        raise InvalidInput(f"the {what} holds control characters", hint=hint)
    return line


def lease(seconds: float, default: float = LEASE) -> int:
    """In µs; 0 is the default. Raises InvalidInput."""
    if seconds == 0:
        seconds = default
    if not LEASE_MIN <= seconds <= LEASE_MAX:  # so is what is no number
        raise InvalidInput(
            f"a lease of {seconds:g} s is not possible", hint="give 1 second to 7 days, in seconds"
        )
    return round(seconds * 1_000_000)


def process(pid: int) -> int:
    """Raises InvalidInput for a number that no process has."""
    if not 0 <= pid <= PID_MAX:
        raise InvalidInput(f"there is no process {pid}", hint="give its pid, or 0")
    return pid


def may_be_token(given: int) -> bool:
    """Whether one like that can have been given out."""
    return 0 < given <= TOKEN_MAX


def ticket(given: str) -> str:
    """Raises InvalidInput for what no queue gave out."""
    if not _ID.fullmatch(given):
        raise InvalidInput(f"{given[:50]!r} is no ticket", hint="give that of the answer before, or none")
    return given


def renewed(now: int, lease: int, *, expires_at: int, lease_before: int) -> tuple[int, int]:
    """(lease, moment of expiry) in µs: a renewal never shortens a claim."""
    if expires_at > now + lease:
        return lease_before, expires_at
    return lease, now + lease


def stepped_back(now: int, *, expires_at: int, lease: int) -> bool:
    """No claim can have more than its lease to go: the clock was put back when it has."""
    return expires_at > now + lease


def is_person(agent: str) -> bool:
    return agent.startswith("human:")


def clock(moment: datetime, now: datetime) -> str:
    """`14:32` in local time; with the date when it is not today."""
    local = moment.astimezone()
    return local.strftime("%H:%M" if local.date() == now.astimezone().date() else "%Y-%m-%d %H:%M")


def holder(claim: Claim) -> str:
    """`claude-1`, or `claude-1 on desk` where several machines share the store."""
    return f"{claim.agent} on {claim.hostname}" if claim.hostname else claim.agent


def held(claim: Claim, now: datetime) -> Conflict:
    """Another one has it."""
    since, until = clock(claim.claimed_at, now), clock(claim.expires_at, now)
    queue = f"; {claim.waiting} wait for it" if claim.waiting else ""
    return Conflict(
        f"{claim.worktree} is held by {holder(claim)} since {since}, until {until}{queue}",
        hint=f"wait for it: `zdriver claim {claim.worktree} --wait 600`; "
        f"or take it over: `zdriver claim {claim.worktree} --force --reason TEXT`",
    )


def lost(claim: Claim, now: datetime, by: str = "") -> Conflict:
    """It was its agent's and is not any more. `by`: who holds, or held, it next."""
    at = clock(claim.ended_at or claim.expires_at, now)
    if claim.ended == "taken":
        what = f"{by or 'somebody'} took it over at {at}: {claim.reason}"
    elif claim.ended == "released":
        what = f"it was released at {at}"
    else:
        what = f"it expired at {at}" + (f", and {by} has it now" if by else "")
    return Conflict(
        f"the claim of {claim.agent} on {claim.worktree} (token {claim.token}) is lost: {what}",
        hint=f"`zdriver claims {claim.worktree} --all` shows who had it; claim it again before you go on",
    )


def stale(worktree: str, token: int) -> Conflict:
    """A token that holds nothing."""
    return Conflict(
        f"token {token} does not hold {worktree}",
        hint=f"claim it first: `zdriver claim {worktree}`",
    )
