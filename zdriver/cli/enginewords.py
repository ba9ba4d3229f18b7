"""Engines as lines: for `zdriver daemon status` and `zdriver doctor`."""

from __future__ import annotations

from collections.abc import Sequence

from zdriver.cli.output import age, dim, green, plural, red, yellow
from zdriver.core.engines import TITLES, EngineHealth, Role

#: Role → what `lag` counts.
_LAGGING: dict[Role, str] = {
    "storage": "row",
    "context": "context",
    "archive": "row",
    "events": "event",
    "audit": "event",
    "tasks": "task",
}


def engine_rows(engines: Sequence[EngineHealth]) -> list[tuple[str, ...]]:
    """Rows of a table; what is wrong with one, and what to do, below it."""
    rows: list[tuple[str, ...]] = []
    for each in engines:
        mark = {"ok": green("ok"), "slow": yellow("slow"), "down": red("down")}[each.state]
        about = ", ".join((each.address or each.setting, *figures(each)))
        rows.append((dim(each.role), f"{named(each)} {mark}, {about}"))
        if each.message:
            since = f" ({age(each.since)})" if each.since and each.state != "ok" else ""
            rows.append(("", f"{each.message}{since}"))
            if each.hint:
                rows.append(("", dim(f"→ {each.hint}")))
    return rows


def named(health: EngineHealth) -> str:
    """ "Redis 7.0.15" """
    return " ".join(filter(None, (TITLES.get(health.engine, health.engine), health.version)))


def figures(health: EngineHealth) -> list[str]:
    """What was measured and counted: latency, clock, and what is still to go there."""
    said = []
    if health.latency_ms is not None:
        said.append(f"{health.latency_ms:.1f} ms")
    # Less than that is the way there and back.
    if health.skew_ms is not None and abs(health.skew_ms) >= max(10.0, health.latency_ms or 0.0):
        said.append(f"its clock {health.skew_ms:+.0f} ms")
    if health.lag:
        said.append(to_go(health))
    return said


def to_go(health: EngineHealth) -> str:
    """ "12 events to go" """
    return f"{plural(health.lag or 0, _LAGGING[health.role])} to go"
