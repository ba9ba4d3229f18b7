"""`zdriver worktree list` as a table that fits the terminal. Pure: text in, text out.

cells   plain text of one worktree, by column
fitted  what has room: columns in which nothing stands go, then what can be told from the rest
drawn   with colours, which change no width
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from zdriver.cli.output import age, bold, dim, green, printable, red, table, width, yellow
from zdriver.cli.worktree_words import apart, counts, held
from zdriver.worktrees.model import Line

GAP = 2  #: cells between columns
#: Cells that a column is cut to, at least, where the terminal is narrow.
NAME_MIN, BRANCH_MIN, HELD_MIN, ABOUT_MIN = 24, 16, 12, 20

#: The title of each column: how it stands beside its base and beside its remote branch, what is not
#: committed, who holds it, when it was made, what it is for.
TITLES = {
    "mark": "",
    "name": "worktree",
    "host": "on",
    "type": "type",
    "branch": "branch",
    "base": "base",
    "remote": "remote",
    "work": "work",
    "held": "held by",
    "age": "age",
    "about": "for",
}
Row = dict[str, str]


class _Drawn(msgspec.Struct, frozen=True):
    """What decides a row's colours."""

    current: bool
    trouble: bool
    conflicted: bool


def drawn(lines: Sequence[Line], now: datetime, room: int | None) -> str:
    """room: cells of the terminal's line; None: as wide as it gets."""
    rows = [cells(line, now) for line in lines]
    if room is not None:
        rows = fitted(rows, room)
    columns = [column for column in TITLES if column == "mark" or any(row.get(column) for row in rows)]
    titles = tuple(dim(TITLES[column]) if TITLES[column] else "" for column in columns)
    looks = [
        _Drawn(line.current, bool(line.trouble), bool(line.condition and line.condition.conflicted))
        for line in lines
    ]
    shown = [
        tuple(_styled(column, row.get(column, ""), look) for column in columns)
        for row, look in zip(rows, looks, strict=True)
    ]
    return table([titles, *shown])


def cells(line: Line, now: datetime) -> Row:
    of, state = line.worktree, line.condition
    return {
        "mark": "*" if line.current else "",
        "name": printable(of.name),
        "host": printable(line.host),
        "type": of.type,
        "branch": printable(of.branch) if of.branch else "(detached)",
        "base": apart(state.ahead, state.behind) if state else "",
        "remote": (apart(state.upstream_ahead, state.upstream_behind) or "=")
        if state and state.upstream
        else "",
        "work": counts(state) if state else "",
        "held": held(line.claim, now) if line.claim else "",
        "age": age(of.created_at, now).removesuffix(" ago").replace("just now", "now"),
        "about": f"! {printable(line.trouble)}" if line.trouble else printable(line.intent),
    }


def fitted(rows: list[Row], room: int) -> list[Row]:
    """The same in at most `room` cells a line, as far as that goes: names are never dropped."""
    steps: tuple[Callable[[list[Row]], list[Row]], ...] = (
        lambda now: _shrunk(now, "about", ABOUT_MIN, room),
        lambda now: _shrunk(now, "name", 2 * NAME_MIN, room),
        lambda now: _without(now, "type"),  # a worktree's name begins with it
        lambda now: [row | {"branch": _unless(row["branch"], row["name"])} for row in now],
        lambda now: [row | {"held": row["held"].partition(" until ")[0]} for row in now],
        lambda now: _shrunk(now, "name", NAME_MIN, room),
        lambda now: _shrunk(now, "branch", BRANCH_MIN, room),
        lambda now: _shrunk(now, "held", HELD_MIN, room),
        lambda now: _without(now, "age"),
        lambda now: _shrunk(now, "about", 8, room),
        lambda now: _without(now, "branch"),
        lambda now: _without(now, "about"),
    )
    for step in steps:
        if _width(rows) <= room:
            break
        rows = step(rows)
    return rows


def _width(rows: list[Row]) -> int:
    widths = [_column(rows, column) for column in TITLES]
    used = [each for each in widths if each]
    return sum(used) + GAP * (len(used) - 1)


def _column(rows: list[Row], column: str) -> int:
    """Its width; 0 when nothing stands in it. The mark's column is always there."""
    widest = max((width(row.get(column, "")) for row in rows), default=0)
    return max(widest, width(TITLES[column]), 1) if widest or column == "mark" else 0


def _shrunk(rows: list[Row], column: str, least: int, room: int) -> list[Row]:
    """As narrow as it has to be, but not below `least`."""
    wide = _column(rows, column)
    limit = max(least, wide - (_width(rows) - room))
    return [row | {column: clipped(row.get(column, ""), limit)} for row in rows]


def _without(rows: list[Row], column: str) -> list[Row]:
    return [row | {column: ""} for row in rows]


def _unless(text: str, same: str) -> str:
    return "" if text == same else text


def clipped(text: str, cells: int) -> str:
    """At most `cells` wide, `…` where something was cut off."""
    if width(text) <= cells:
        return text
    while text and width(text) > cells - 1:
        text = text[:-1]
    return f"{text.rstrip()}…"


def _styled(column: str, text: str, look: _Drawn) -> str:
    if not text:
        return text
    if column in ("mark", "name") and look.current:
        return green(text)
    if column == "about" and look.trouble:
        return yellow(text)
    if column == "work":
        return red(text) if look.conflicted else yellow(text)
    if column == "name":
        return bold(text)
    return dim(text) if column in ("host", "type", "branch", "age") else text
