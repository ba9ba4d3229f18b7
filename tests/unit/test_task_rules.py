"""Which events become a task, and what of them."""

from __future__ import annotations

from typing import Any

import pytest

from zdriver.core.errors import InvalidInput
from zdriver.events.envelope import Envelope, Source
from zdriver.tasks import rules


def envelope(payload: dict[str, Any], *, app: str = "planner", type_: str = "task.assigned") -> Envelope:
    return Envelope(
        event_id="018f-1", event_type=type_, timestamp="2026-01-01T00:00:00Z",
        source=Source(host="desk", type="agent", app=app), payload=payload,
    )  # fmt: skip


def test_what_is_taken_of_it() -> None:
    found = rules.assignment(
        envelope(
            {"title": " mend  it ", "text": "why\nhow", "repo": "git@x:a/b", "assignee": "claude-1", "n": 1}
        )
    )
    assert found is not None
    assert (found.id, found.title, found.text, found.repo) == ("018f-1", "mend it", "why\nhow", "git@x:a/b")
    assert (found.agent, found.worktree, found.origin) == ("claude-1", "", "planner@desk")
    assert found.payload["n"] == 1


def test_a_text_alone_has_a_title() -> None:
    found = rules.assignment(envelope({"description": "\n mend it\nand more"}))
    assert found is not None
    assert found.title == "mend it"
    long = rules.assignment(envelope({"text": "x" * 500}))
    assert long is not None
    assert len(long.title) == rules.TITLE_MAX


def test_own_events_are_not_taken_in_again() -> None:
    assert rules.assignment(envelope({"worktree": "feat-x"}, app="zdriver")) is None


@pytest.mark.parametrize(
    "payload",
    [{}, {"title": " "}, {"title": 3}, {"title": "x", "repo": ["a"]}, {"text": "x" * 200_000}],
)
def test_what_is_no_task(payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        rules.assignment(envelope(payload))


def test_another_type_is_none() -> None:
    with pytest.raises(InvalidInput, match=r"task\.done"):
        rules.assignment(envelope({"title": "x"}, type_="task.done"))


def test_no_secret_and_nothing_unstorable_is_kept() -> None:
    found = rules.assignment(
        envelope(
            {"title": "x\0y", "text": "password=hunter2hunter2", "deep": [{"a": "token=ghp_" + "a1B2" * 9}]}
        )
    )
    assert found is not None
    kept = repr(found)
    assert "hunter2" not in kept
    assert "a1B2" not in kept
    assert "\0" not in kept
    assert found.title == "xy"
