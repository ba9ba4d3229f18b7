"""Events in words: one harmless line for whatever a payload holds; and which types are meant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from zdriver.cli import eventwords
from zdriver.core.errors import InvalidInput
from zdriver.events import selecting
from zdriver.events.envelope import Envelope, seal, unseal


def event(**payload: Any) -> Envelope:
    return unseal(seal("1", "some.thing", 1_700_000_000_000_000, payload))


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({}, ""),
        ({"text": "two\nlines \x1b[31m"}, "two\\x0alines \\x1b[31m"),
        ({"id": "i", "name": "feat-x", "branch": "feat-x", "agent": "a"}, "feat-x"),
        ({"name": "feat-x", "branch": "x", "reason": "gone"}, "feat-x on x (gone)"),
        ({"name": "feat-x", "token": 4, "by": "b"}, "feat-x token 4 by b"),
        (
            {"repo": "/r", "made": 2, "failures": 0, "worktrees": list("abcd")},
            "/r in a, b, c and 1 more 2 made",
        ),
        ({"context": {"id": "c", "root": "/w"}}, "/w"),
        ({"name": ["no", "text"], "to": {"a": 1}, "reason": True}, "['no', 'text']"),
    ],
)
def test_what_happened_in_one_line(payload: dict[str, Any], said: str) -> None:
    assert eventwords.what(event(**payload)) == said


def test_who() -> None:
    assert eventwords.who(event(agent="claude-1")) == "claude-1"
    assert eventwords.who(event(agent="evil\x07")) == "evil\\x07"
    assert eventwords.who(event(source="manual")) == "by hand"
    assert eventwords.who(event()) == ""


def test_when_in_the_readers_zone() -> None:
    zone = timezone(timedelta(hours=2))
    now = datetime(2026, 5, 2, 12, tzinfo=zone)
    assert eventwords.moment("2026-05-01T22:30:05.123456Z", now) == "00:30:05"
    assert eventwords.moment("2026-05-01T21:30:05Z", now) == "2026-05-01 23:30:05"
    assert now.astimezone(UTC).hour == 10


def test_types() -> None:
    assert selecting.wanted("worktree.created", ("worktree.*",))
    assert not selecting.wanted("worktree.created", ("worktree", "claim.*"))
    assert selecting.wanted("anything", ())
    for wrong in ("", "[a-z]", "Worktree.*", "a b", "a" * 101, "a\n"):
        with pytest.raises(InvalidInput):
            selecting.patterns([wrong])
