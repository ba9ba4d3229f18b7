"""What `zdriver restore` says it did."""

from __future__ import annotations

import click

from zdriver.cli.restore import _reported
from zdriver.context.model import Action, PanePlan, RestoreReport


def words(*actions: Action, restored: int, before: int = 0) -> str:
    panes = tuple(
        PanePlan(tab="t", tab_index=0, pane_index=at, name="", cwd="/w", command=(), action=action, reason="")
        for at, action in enumerate(actions)
    )
    report = RestoreReport(
        id="", zellij_session="s", generation=4, panes=panes, restored=restored, failed=(), before=before
    )
    return click.unstyle(_reported(report))


def test_what_was_there_already_is_no_failure() -> None:
    assert words("shell", "run", restored=2) == "✓ snapshot 4: 2 of 2 panes are back"
    assert words("keep", "keep", restored=0) == (
        "✓ snapshot 4: 2 panes left alone, of tabs that are here already"
    )
    assert words("keep", "run", restored=1) == (
        "✓ snapshot 4: 1 of 1 pane is back; 1 pane left alone, of tabs that are here already"
    )


def test_what_was_replaced_can_be_had_again() -> None:
    assert words("shell", restored=1, before=9).endswith("  what was open before is snapshot 9")
