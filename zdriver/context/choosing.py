"""A Zellij session was opened: what to do about what was there before, and how.

    choose(opening, live, closed, policy, now) -> Decision
    how_to_apply(opening, replace=False) -> How           also for a restore asked for by hand

In this order: (a) a live session of the same root that nobody is attached to: go over to
it; (b) a closed one of the same name; (c) the newest closed one of the same root; (d)
nothing. Never one that somebody is attached to.

Done without asking only when it cannot hurt: `_GUARDS` is the table of what must hold.
Where one does not, it is offered, and `Decision.reason` says which. A live session of
which it cannot be known whether somebody is attached is named, so that it is not forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

Kind = Literal["switch", "restore", "offer", "nothing"]
#: override: replace the blank session by the layout. new_tabs: add tabs, close nothing.
#: replace: add tabs, then close the old ones by id. leave: Zellij's panes stay as they are.
How = Literal["override", "new_tabs", "replace", "leave"]
Mode = Literal["auto", "ask", "off"]


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """The session that was opened, as its first state shows it."""

    zellij_session: str
    root: str  #: absolute path of the worktree, else of the folder
    clients: int = 1  #: terminals attached now
    first_client: bool = True  #: the daemon has not seen this server with a client before
    tabs: int = 1
    panes: int = 1  #: terminal panes
    idle: bool = True  #: every terminal is a shell at its prompt
    typed: bool = False  #: a key may have reached a shell
    own_layout: bool = False  #: started with a layout that the user named
    resurrected_at: datetime | None = (
        None  #: when Zellij saved what it brought back; None: it brought nothing
    )
    dismissed: bool = False  #: the user said no in this session


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """Another Zellij session whose server runs."""

    zellij_session: str
    root: str
    clients: int | None  #: terminals attached now; None: it cannot be asked
    seen_at: datetime  #: when somebody was last attached, or it was last heard of
    panes: int = 1


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """The newest good generation of a Zellij session whose server is gone.

    For the name that was just opened: of its server before this one.
    """

    zellij_session: str
    root: str
    generation: int
    taken_at: datetime
    panes: int = 1
    opened_at: datetime | None = None  #: when its server was first seen
    closed_at: datetime | None = None  #: when its server was last seen
    crashed: bool = False  #: the server was killed, rather than ended by its user
    dismissed: bool = False
    restored: bool = False  #: it was brought back into another session, and not undone
    elsewhere: bool = False  #: it was seen on another machine, or by another tool


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """`[restore]`."""

    mode: Mode = "auto"
    max_age: timedelta = timedelta(days=7)
    broad_roots: frozenset[str] = frozenset({"/"})  #: with $HOME: folders that hold everything


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    kind: Kind
    reason: str
    zellij_session: str = ""  #: to go over to, or whose generation it is
    generation: int = 0  #: 0 for a live session
    offered: Literal["switch", "restore", ""] = ""  #: what an offer would do
    how: How = "override"
    others: tuple[Closed, ...] = ()  #: what else could be restored, best first


class _Case(msgspec.Struct, frozen=True):
    """What a guard looks at."""

    opening: Opening
    policy: Policy
    now: datetime
    candidates: tuple[Closed | Live, ...]

    @property
    def best(self) -> Closed | Live:
        return self.candidates[0]

    @property
    def recent(self) -> bool:
        """A session that still runs is never too old."""
        best = self.best
        return isinstance(best, Live) or self.now - best.taken_at <= self.policy.max_age

    @property
    def elsewhere(self) -> bool:
        return isinstance(self.best, Closed) and self.best.elsewhere

    @property
    def crashed(self) -> bool:
        return isinstance(self.best, Closed) and self.best.crashed


#: Each must hold for anything to happen without a question; else its reason is given.
_GUARDS: tuple[tuple[Callable[[_Case], bool], str], ...] = (
    (lambda c: c.policy.mode == "auto", "restore is set to ask"),
    (lambda c: c.opening.clients <= 1, "another terminal is attached here"),
    (lambda c: c.opening.resurrected_at is None, "Zellij brought this session back"),
    (lambda c: not c.opening.own_layout, "it was opened with a layout of its own"),
    (lambda c: c.opening.tabs == 1, "this session has several tabs"),
    (lambda c: c.opening.panes == 1, "this session has several panes"),
    (lambda c: c.opening.idle, "something runs here"),
    (lambda c: not c.opening.typed, "something was typed here"),
    (lambda c: len(c.candidates) == 1, "there are several to choose from"),
    (lambda c: c.recent, "it is from too long ago"),
    (lambda c: not c.elsewhere, "it was not seen here"),
    (
        lambda c: c.crashed or c.opening.root not in c.policy.broad_roots,
        "its folder holds everything",
    ),
)


def choose(
    opening: Opening, live: Sequence[Live], closed: Sequence[Closed], policy: Policy, now: datetime
) -> Decision:
    """What to do when `opening` was opened. `live` and `closed` may hold sessions of any root."""
    if policy.mode == "off":
        return Decision(kind="nothing", reason="restore is off")
    if opening.dismissed:
        return Decision(kind="nothing", reason="it was dismissed")
    if not opening.first_client:
        return Decision(kind="nothing", reason="this session was open before")
    candidates = _candidates(opening, live, closed)
    if opening.resurrected_at is not None:
        return _beside_zellij(opening, candidates)
    if detached := _of_root(opening, live, 0):
        return _decide(_Case(opening, policy, now, detached), "switch", candidates)
    if silent := _of_root(opening, live, None):
        return Decision(
            kind="offer",
            reason="it still runs, and does not say whether somebody is attached",
            zellij_session=silent[0].zellij_session,
            offered="switch",
            others=candidates,
        )
    if not candidates:
        return Decision(kind="nothing", reason="nothing was recorded here")
    best, *rest = candidates
    rivals = tuple(each for each in rest if _side_by_side(opening, best, each))
    return _decide(_Case(opening, policy, now, (best, *rivals)), "restore", tuple(rest))


def how_to_apply(opening: Opening, *, replace: bool = False) -> How:
    """By what the session is now. By hand (`replace` aside) nothing is closed."""
    if replace:
        return "replace"
    blank = opening.tabs == 1 and opening.panes == 1 and opening.idle and not opening.typed
    if blank and opening.resurrected_at is None and not opening.own_layout and opening.clients <= 1:
        return "override"
    return "new_tabs"


def _of_root(opening: Opening, live: Sequence[Live], clients: int | None) -> tuple[Live, ...]:
    """(a) newest first: with so many attached."""
    found = [
        each
        for each in live
        if each.clients == clients
        and each.root == opening.root
        and each.zellij_session != opening.zellij_session
    ]
    return tuple(sorted(found, key=lambda each: each.seen_at, reverse=True))


def _candidates(opening: Opening, live: Sequence[Live], closed: Sequence[Closed]) -> tuple[Closed, ...]:
    """(b), then (c), each newest first. A live session's panes are there, so it is none."""
    alive = {each.zellij_session for each in live} - {opening.zellij_session}
    found = [
        each
        for each in sorted(closed, key=lambda each: (each.taken_at, each.generation), reverse=True)
        if each.zellij_session not in alive and not each.dismissed and not each.restored and each.panes > 0
    ]
    same_name = [each for each in found if each.zellij_session == opening.zellij_session]
    same_root = [each for each in found if each.root == opening.root and each not in same_name]
    return (*same_name, *same_root)


def _side_by_side(opening: Opening, best: Closed, other: Closed) -> bool:
    """Whether both ran at one time, so that it is unclear which is meant.

    One that had ended before the other began was given up for it. A name that was given
    again is clear.
    """
    if best.zellij_session == opening.zellij_session:
        return False
    return (other.closed_at or other.taken_at) >= (best.opened_at or best.taken_at)


def _decide(case: _Case, kind: Literal["switch", "restore"], others: tuple[Closed, ...]) -> Decision:
    failed = next((reason for holds, reason in _GUARDS if not holds(case)), None)
    best = case.best
    return Decision(
        kind="offer" if failed else kind,
        reason=failed or _why(case, kind),
        zellij_session=best.zellij_session,
        generation=best.generation if isinstance(best, Closed) else 0,
        offered=kind if failed else "",
        how=how_to_apply(case.opening),
        others=others,
    )


def _why(case: _Case, kind: Kind) -> str:
    if kind == "switch":
        return "it still runs, and nobody is attached to it"
    if case.best.zellij_session == case.opening.zellij_session:
        return "the session of this name was closed"
    return "the newest closed session of this folder"


def _beside_zellij(opening: Opening, candidates: tuple[Closed, ...]) -> Decision:
    """Zellij resurrected this session: the newer of its state and ours wins; no pane is made twice."""
    ours = next((each for each in candidates if each.zellij_session == opening.zellij_session), None)
    if ours is None or opening.resurrected_at is None:
        return Decision(
            kind="nothing", reason="Zellij brought this session back", how="leave", others=candidates
        )
    if ours.taken_at <= opening.resurrected_at:
        return Decision(
            kind="nothing", reason="what Zellij brought back is newer", how="leave", others=candidates
        )
    return Decision(
        kind="offer",
        reason="what was recorded is newer than what Zellij brought back",
        zellij_session=ours.zellij_session,
        generation=ours.generation,
        offered="restore",
        how="replace",
        others=tuple(each for each in candidates if each is not ours),
    )
