"""Which of what was there before is brought back, when, and how."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdriver.context.choosing import (
    Closed,
    Decision,
    Live,
    Mode,
    Opening,
    Policy,
    choose,
    how_to_apply,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
HOME = "/home/dev"
OPENING = Opening(zellij_session="new", root="/w")


def closed(session: str = "old", hours: float = 1, **fields: Any) -> Closed:
    fields = {"root": "/w", "generation": 5, **fields}
    return Closed(zellij_session=session, taken_at=NOW - hours * HOUR, **fields)


def live(session: str = "detached", clients: int | None = 0, hours: float = 1, **fields: Any) -> Live:
    return Live(
        zellij_session=session, clients=clients, seen_at=NOW - hours * HOUR, **{"root": "/w", **fields}
    )


def decide(
    *others: Live | Closed, opening: Opening = OPENING, mode: Mode = "auto", **changed: Any
) -> Decision:
    return choose(
        msgspec.structs.replace(opening, **changed),
        [each for each in others if isinstance(each, Live)],
        [each for each in others if isinstance(each, Closed)],
        Policy(mode=mode, broad_roots=frozenset({"/", HOME})),
        NOW,
    )


# ------------------------------------------------------------- which


def test_nothing_was_there() -> None:
    assert decide().kind == "nothing"


def test_a_live_session_nobody_is_attached_to_comes_first() -> None:
    found = decide(live(), closed("new"), closed())
    assert (found.kind, found.zellij_session, found.generation) == ("switch", "detached", 0)


def test_then_the_closed_one_of_the_same_name() -> None:
    found = decide(closed("new", hours=9, generation=3), closed("old", hours=1), live("busy", clients=1))
    assert (found.kind, found.zellij_session, found.generation) == ("restore", "new", 3)
    assert [each.zellij_session for each in found.others] == ["old"]


def test_then_the_newest_closed_one_of_the_same_root() -> None:
    older = closed("older", hours=9, closed_at=NOW - 8 * HOUR)
    newest = closed("newest", hours=1, generation=8, opened_at=NOW - 2 * HOUR)
    elsewhere = closed("elsewhere", hours=0, root="/x")
    found = decide(older, newest, elsewhere)
    assert (found.kind, found.zellij_session, found.generation) == ("restore", "newest", 8)
    assert found.how == "override"


def test_never_one_that_somebody_is_attached_to() -> None:
    assert decide(live("busy", clients=1)).kind == "nothing"
    assert decide(live("busy", clients=1), closed("busy")).kind == "nothing"
    assert decide(live("far", root="/x"), closed("far")).kind == "nothing"
    # this one's own name is no other session
    assert decide(live("new", clients=1), closed("new")).kind == "restore"


def test_a_live_one_that_does_not_say_who_is_attached_is_named() -> None:
    found = decide(live("mute", clients=None), closed())
    assert (found.kind, found.offered) == ("offer", "switch")
    assert (found.zellij_session, found.generation) == ("mute", 0)
    assert decide(live("mute", clients=None), live("free")).kind == "switch"
    assert decide(live("mute", clients=None, root="/x")).kind == "nothing"
    assert decide(live("mute", clients=None), mode="off").kind == "nothing"


def test_never_one_that_was_restored_or_dismissed_or_is_empty() -> None:
    assert decide(closed(restored=True)).kind == "nothing"
    assert decide(closed(dismissed=True)).kind == "nothing"
    assert decide(closed(panes=0)).kind == "nothing"


# ------------------------------------------------------------- when


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"clients": 2}, "another terminal"),
        ({"own_layout": True}, "layout of its own"),
        ({"tabs": 2}, "several tabs"),
        ({"panes": 2}, "several panes"),
        ({"idle": False}, "something runs"),
        ({"typed": True}, "typed"),
    ],
)
def test_what_could_hurt_is_offered(changed: dict[str, Any], reason: str) -> None:
    for other, offered in ((closed(), "restore"), (live(), "switch")):
        found = decide(other, **changed)
        assert (found.kind, found.offered) == ("offer", offered)
        assert reason in found.reason
        assert found.zellij_session == other.zellij_session


def test_asked_for_off_and_dismissed() -> None:
    assert decide(closed(), mode="ask").kind == "offer"
    assert decide(closed(), live(), mode="off").kind == "nothing"
    assert decide(closed(), dismissed=True).kind == "nothing"
    assert decide(closed(), first_client=False).kind == "nothing"


def test_old_ones_are_offered() -> None:
    assert decide(closed(hours=7 * 24)).kind == "restore"
    assert decide(closed(hours=7 * 24 + 1)).kind == "offer"
    assert decide(live(hours=9_999)).kind == "switch"


def test_a_root_that_holds_everything_is_offered_unless_it_crashed() -> None:
    for root in ("/", HOME):
        assert decide(closed(root=root), root=root).kind == "offer"
        assert decide(live(root=root), root=root).kind == "offer"
        assert decide(closed(root=root, crashed=True), root=root).kind == "restore"


def test_two_that_ran_side_by_side_are_a_question() -> None:
    one = closed("one", hours=1, opened_at=NOW - 5 * HOUR)
    two = closed("two", hours=2, closed_at=NOW - 1 * HOUR)
    found = decide(one, two)
    assert (found.kind, found.zellij_session) == ("offer", "one")
    assert "several" in found.reason
    assert decide(live("a"), live("b", hours=3)).kind == "offer"
    assert decide(one, two, zellij_session="two").kind == "restore"


# ------------------------------------------------------------- beside Zellij's own resurrection


def test_the_newer_of_ours_and_zellijs_wins() -> None:
    ours = closed("new", hours=1)
    newer = decide(ours, resurrected_at=NOW)
    assert (newer.kind, newer.how) == ("nothing", "leave")
    same = decide(ours, resurrected_at=ours.taken_at)
    assert same.kind == "nothing"
    older = decide(ours, closed("other"), resurrected_at=NOW - 2 * HOUR, tabs=3, panes=7)
    assert (older.kind, older.how, older.generation) == ("offer", "replace", 5)
    assert [each.zellij_session for each in older.others] == ["other"]


def test_what_zellij_brought_back_is_never_left_for_another_session() -> None:
    assert decide(live(), closed("other"), resurrected_at=NOW).kind == "nothing"


def test_what_was_not_seen_here_is_offered() -> None:
    """On another machine it may still run."""
    decision = decide(closed(elsewhere=True))
    assert (decision.kind, decision.offered, decision.how) == ("offer", "restore", "override")
    assert "not seen here" in decision.reason


# ------------------------------------------------------------- how


@pytest.mark.parametrize(
    ("changed", "how"),
    [
        ({}, "override"),
        ({"typed": True}, "new_tabs"),
        ({"idle": False}, "new_tabs"),
        ({"panes": 2}, "new_tabs"),
        ({"own_layout": True}, "new_tabs"),
        ({"clients": 2}, "new_tabs"),
        ({"resurrected_at": NOW}, "new_tabs"),
        ({"tabs": 2}, "new_tabs"),
    ],
)
def test_only_a_blank_session_is_overridden(changed: dict[str, Any], how: str) -> None:
    opening = msgspec.structs.replace(OPENING, **changed)
    assert how_to_apply(opening) == how
    assert how_to_apply(opening, replace=True) == "replace"


openings = st.builds(
    Opening,
    zellij_session=st.sampled_from(["a", "b"]),
    root=st.sampled_from(["/w", "/", HOME]),
    clients=st.integers(0, 2),
    first_client=st.booleans(),
    tabs=st.integers(1, 2),
    panes=st.integers(1, 2),
    idle=st.booleans(),
    typed=st.booleans(),
    own_layout=st.booleans(),
    resurrected_at=st.one_of(st.none(), st.just(NOW - HOUR)),
    dismissed=st.booleans(),
)
lives = st.lists(
    st.builds(live, st.sampled_from(["a", "b", "c"]), st.integers(0, 1), st.integers(0, 300)),
    max_size=3,
    unique_by=lambda each: each.zellij_session,
)
closeds = st.lists(
    st.builds(
        closed,
        st.sampled_from(["a", "b", "c", "d"]),
        st.integers(0, 300),
        root=st.sampled_from(["/w", "/", HOME]),
        crashed=st.booleans(),
        dismissed=st.booleans(),
    ),
    max_size=4,
)


@given(openings, lives, closeds, st.sampled_from(["auto", "ask", "off"]))
def test_nothing_happens_by_itself_where_it_could_hurt(
    opening: Opening, alive: list[Live], gone: list[Closed], mode: Mode
) -> None:
    found = choose(opening, alive, gone, Policy(mode=mode, broad_roots=frozenset({"/", HOME})), NOW)
    assert found.reason
    attached = {each.zellij_session for each in alive if each.clients} - {opening.zellij_session}
    assert found.zellij_session not in attached
    if found.kind in ("switch", "restore"):
        assert mode == "auto"
        assert opening.first_client
        assert (opening.tabs, opening.panes, opening.idle) == (1, 1, True)
        assert not opening.typed
        assert opening.resurrected_at is None
        assert found.how == "override"
    if found.kind == "restore":
        assert found.zellij_session not in {each.zellij_session for each in alive} - {opening.zellij_session}
        assert found.generation in {each.generation for each in gone if not each.dismissed}
