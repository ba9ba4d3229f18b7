"""`zdriver events`: what happened, as a list or as it happens."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import click
import msgspec

from zdriver.cli import eventwords
from zdriver.cli.completing import completing
from zdriver.cli.groups import Entry, LazyGroup
from zdriver.cli.options import GIVEN, examples, json_option
from zdriver.cli.output import answer, dim, note, printable, settings, width, yellow
from zdriver.cli.services import services
from zdriver.cli.since import parse_since
from zdriver.cli.worktree_table import clipped
from zdriver.core.errors import ZdriverError
from zdriver.events import selecting
from zdriver.rpc.events_api import Logged

if TYPE_CHECKING:
    from zdriver.cli.tailing import WholeLines
    from zdriver.library import Driver

#: Cells of a type: the longest of them fits.
_TYPE = 20
_CURSOR_MAX = 2**63 - 1


def _types(driver: Driver) -> Iterator[tuple[str, str]]:
    """Of the newest events, and their groups."""
    found = {each.event.event_type for each in driver.events.list(limit=1000, latest=True)}
    groups = {f"{each.partition('.')[0]}.*" for each in found}
    for each in sorted(found | groups):
        yield each, ""


_types_option = click.option(
    "--type",
    "types",
    metavar="TYPE",
    multiple=True,
    type=GIVEN,
    shell_complete=completing(_types),
    help="Only these: worktree.created, 'claim.*'; may be given many times.",
)
_after_option = click.option(
    "--after",
    metavar="CURSOR",
    type=click.IntRange(0, _CURSOR_MAX),
    help="Those after this one; 0: from the first on.",
)


SECTIONS = (
    (
        "See",
        (
            Entry("list", "events", "list_", "List events in the order in which they happened."),
            Entry("tail", "events", "tail", "Follow events until Ctrl-C."),
        ),
    ),
    (
        "Published to events.url",
        (
            Entry("failed", "events_out", "failed", "List the events that could not be published."),
            Entry("retry", "events_out", "retry", "Try refused events again now."),
            Entry("audit", "events_out", "audit", "Write every published event into PostgreSQL, once."),
        ),
    ),
)


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    epilog=examples(
        "zdriver events list --since today",
        "zdriver events tail --type 'worktree.*'",
        "zdriver events failed",
    ),
)
@json_option
def events() -> None:
    """See what happened, and follow what happens.

    Each event has a cursor, its place in the log. Who goes on after the last cursor it
    saw misses nothing and sees nothing twice.
    """


@click.command(
    "list",
    epilog=examples(
        "zdriver events list                                  the newest, in order",
        "zdriver events list --type 'worktree.*' --since 2d",
        "zdriver events list --after 120 --limit 1000 --json  what came after the last one seen",
    ),
)
@_types_option
@click.option("--since", metavar="WHEN", type=GIVEN, help="2h, 3d, 1w, today, yesterday, or a date.")
@_after_option
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@json_option
def list_(types: tuple[str, ...], since: str | None, after: int | None, limit: int) -> None:
    """List events in the order in which they happened.

    The newest ones; with --after the first ones after that cursor.
    """
    selecting.patterns(types)
    now = datetime.now().astimezone()
    begin = parse_since(since, now) if since else None
    with services() as driver:
        found = driver.events.list(
            after=after or 0, limit=limit, types=types, since=begin, latest=after is None
        )
    answer(found, lambda: _listed(found, now))
    if not found:
        note("nothing happened" + (" that is asked for" if types or since or after else " yet"))
    elif after is not None and len(found) == limit:
        note(dim(f"there may be more: --after {found[-1].cursor}"))


@click.command(
    "tail",
    epilog=examples(
        "zdriver events tail",
        "zdriver events tail --type 'worktree.*' --type 'claim.*'",
        "zdriver events tail --after 120 --json | while read -r line; do …; done",
    ),
)
@_types_option
@_after_option
@click.option("--limit", type=click.IntRange(1), help="End after so many.")
@json_option
def tail(types: tuple[str, ...], after: int | None, limit: int | None) -> None:
    """Follow events until Ctrl-C.

    From now on, or from the first one after CURSOR. It goes on when the daemon was restarted. With
    --json a line each, and a last one with "end":true and the cursor to go on after.
    """
    from zdriver.cli import tailing

    selecting.patterns(types)
    cursor = tailing.begin(after)
    stream = tailing.follow(cursor, lambda said: note(yellow(f"! {said}")))
    wanted = (each for each in stream if selecting.wanted(each.event.event_type, types))
    _follow(islice(wanted, limit), cursor, tailing.WholeLines())


def _follow(stream: Iterable[Logged], cursor: int, whole: WholeLines) -> None:
    """Prints each at once; the end of a JSON stream is said whatever ends it but a closed pipe."""
    as_json = settings().json
    try:
        for logged in stream:
            now = datetime.now().astimezone()
            with whole.line():
                click.echo(_line(logged) if as_json else _drawn(_row(logged, now), (0, _TYPE, 0, 0)))
                cursor = logged.cursor
    except KeyboardInterrupt:
        if as_json:
            click.echo(_line({"cursor": cursor}, end=True))
        raise
    except ZdriverError as error:
        note(dim(f"go on with --after {cursor}"))
        raise error
    if as_json:
        click.echo(_line({"cursor": cursor}, end=True))


def _line(data: object, *, end: bool = False) -> str:
    fields: dict[str, Any] = {"v": 1, "ok": True, "data": data}
    return msgspec.json.encode(fields | ({"end": True} if end else {})).decode()


# ---- words -------------------------------------------------------------------------------


def _listed(found: Iterable[Logged], now: datetime) -> str:
    rows = [_row(each, now) for each in found]
    wide = [max((width(row[column]) for row in rows), default=0) for column in range(4)]
    return "\n".join(_drawn(row, wide) for row in rows)


def _row(of: Logged, now: datetime) -> tuple[str, ...]:
    event = of.event
    when = eventwords.moment(event.timestamp, now)
    return when, printable(event.event_type), eventwords.what(event), eventwords.who(event)


def _drawn(row: tuple[str, ...], wide: Sequence[int]) -> str:
    """One line; on a terminal no longer than that is wide.

    wide  cells of the columns, as far as the other lines are known: else 0
    """
    when, type_, what, who = row
    taken = max(wide[0], width(when)) + max(wide[1], width(type_)) + max(wide[3], width(who)) + 6
    room = (
        max(shutil.get_terminal_size().columns - taken, 10)
        if sys.stdout.isatty()
        else max(wide[2], width(what))
    )
    what = clipped(what, room)
    cells = (dim(when), type_, what, dim(who))
    least = (wide[0], wide[1], min(wide[2], room), 0)
    padded = (cell + " " * (at_least - width(cell)) for cell, at_least in zip(cells, least, strict=True))
    return "  ".join(padded).rstrip()
