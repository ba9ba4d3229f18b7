"""The lines that greet somebody who comes back, and those that offer it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from zdriver.context.model import Intent, Milestone, RestoreReport

MILESTONES = 3
WIDTH = 120  #: characters of a text; the plugin cuts to the screen's width


def banner_lines(
    intent: Intent | None, milestones: Sequence[Milestone], report: RestoreReport | None, now: datetime
) -> list[str]:
    """Intent, the newest milestones (newest first), what was restored and how to undo it."""
    lines = _story(intent, milestones, now)
    if report is not None:
        lines.append(f"{_summary(report)} · u undo")
        lines += [
            f"  failed: {_pane(each.tab, each.name)}: {_short(each.reason)}" for each in report.failed[:3]
        ]
        if report.before:
            lines.append(f"what was open here before is snapshot {report.before}")
    return lines


def offer_lines(
    intent: Intent | None, milestones: Sequence[Milestone], panes: int, taken_at: datetime, now: datetime
) -> list[str]:
    """What there is to bring back, and the keys that do it."""
    what = f"{panes} pane{'s' if panes != 1 else ''} from {age(taken_at, now)} ago"
    return [*_story(intent, milestones, now), f"{what} · Enter restore · l list · d dismiss"]


def age(moment: datetime, now: datetime) -> str:
    """`40 s`, `5 min`, `3 h`, `2 d`."""
    seconds = max(0, int((now - moment).total_seconds()))
    for limit, unit, name in ((60, 1, "s"), (3600, 60, "min"), (86400, 3600, "h")):
        if seconds < limit:
            return f"{seconds // unit} {name}"
    return f"{seconds // 86400} d"


def _story(intent: Intent | None, milestones: Sequence[Milestone], now: datetime) -> list[str]:
    lines = [f"Welcome back: {_short(intent.text)}" if intent else "Welcome back"]
    lines += [
        f"  ✓ {_short(each.text)} · {age(each.recorded_at, now)} ago" for each in milestones[:MILESTONES]
    ]
    return lines


def _summary(report: RestoreReport) -> str:
    """`5 panes: 3 running, 2 waiting, 0 failed`. A failed pane is not counted as waiting too."""
    made = [plan for plan in report.panes if plan.action != "skip"]
    failed = Counter((each.tab, each.name) for each in report.failed)
    waiting = 0
    for each in made:
        if failed[each.tab, each.name]:
            failed[each.tab, each.name] -= 1
        elif each.action == "suspended":
            waiting += 1
    running = max(0, len(made) - waiting - len(report.failed))
    noun = "pane" if len(made) == 1 else "panes"
    return f"{len(made)} {noun}: {running} running, {waiting} waiting, {len(report.failed)} failed"


def _pane(tab: str, name: str) -> str:
    return f"{tab} · {name}" if name else tab


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
