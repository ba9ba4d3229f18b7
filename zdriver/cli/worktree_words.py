"""Worktrees in words: what the commands about them share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from zdriver.claims import rules as claims
from zdriver.claims.model import Claim
from zdriver.cli.output import answer, note, plural, printable, settings, yellow
from zdriver.worktrees.model import Condition, Linked, Provided

#: Seconds that a checkout of a large repository, or a removal, may take.
TIMEOUT = 600.0


def counts(of: Condition) -> str:
    """`+1 ~2 ?3 !1`: staged, changed, untracked, conflicted; an operation under way; "" when clean."""
    signs = ((of.staged, "+"), (of.changed, "~"), (of.untracked, "?"), (of.conflicted, "!"))
    parts = [f"{sign}{count}" for count, sign in signs if count]
    return " ".join([*parts, of.operation] if of.operation else parts)


def apart(ahead: int, behind: int) -> str:
    """`↑2 ↓1`; "" when neither has what the other has not."""
    return " ".join(f"{sign}{count}" for count, sign in ((ahead, "↑"), (behind, "↓")) if count)


def held(claim: Claim, now: datetime) -> str:
    return f"{printable(claims.holder(claim))} until {claims.clock(claim.expires_at, now)}"


def received(linked: Linked, provided: Provided) -> str:
    """What came into a new worktree beside git's files: `2 links, 1 copy, WEB_PORT=41001`."""
    copies = linked.copies + provided.copies
    leased = {name: value for name, value in provided.environment.items() if not name.startswith("ZDRIVER_")}
    parts = [
        plural(linked.links, "link") if linked.links else "",
        ("1 copy" if copies == 1 else f"{copies:,} copies") if copies else "",
        *(f"{name}={printable(value)}" for name, value in leased.items()),
    ]
    return ", ".join(part for part in parts if part)


def tell(data: object, words: str) -> None:
    """What was done, on stderr where stdout is for a path; with `--json` the envelope on stdout."""
    if settings().json:
        answer(data, str)
    else:
        note(words)


@contextmanager
def finished_anyway() -> Iterator[None]:
    """Ctrl-C ends the waiting only: what the daemon began, it finishes. That is said."""
    try:
        yield
    except KeyboardInterrupt:
        note(yellow("! the daemon finishes what it began; see: zdriver worktree list"))
        raise


def warn(lines: Iterable[str]) -> None:
    for line in lines:
        note(yellow(f"! {printable(line)}"))
