"""`zdriver history`: all intents and milestones, searched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import groupby

import click

from zdriver.archive.model import ArchivedEntry
from zdriver.cli.milestone import MARKS
from zdriver.cli.options import GIVEN, GIVEN_PATH, complete_contexts, examples, json_option
from zdriver.cli.output import age, answer, bold, dim, home_relative, note, printable, settings, table
from zdriver.cli.services import absolute, services
from zdriver.cli.since import parse_since
from zdriver.context.model import Entry
from zdriver.context.rules import LIMIT_MAX
from zdriver.core.errors import InvalidInput
from zdriver.core.ids import short


@click.command(
    epilog=examples(
        "zdriver history                         the newest entries",
        'zdriver history "database" --since 3d',
        "zdriver history --repo . --since yesterday --markdown > standup.md",
        "zdriver history --json --limit 200 | jq -r '.data[].text'",
        "zdriver history --archive database --host build-1",
    )
)
@click.argument("query", nargs=-1)
@click.option(
    "--since", metavar="WHEN", type=GIVEN, help="2h, 3d, 1w, today, yesterday, or a date: 2026-05-01."
)
@click.option("--repo", metavar="PATH", type=GIVEN_PATH, help="Only what lies at or below this folder.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many."
)
@click.option("--markdown", is_flag=True, help="As a Markdown list, a heading for each day.")
@click.option(
    "--context",
    metavar="ID",
    type=GIVEN,
    shell_complete=complete_contexts,
    help="Only this context (id or its end).",
)
@click.option("--archive", is_flag=True, help="Search the archive: all machines, and what is gone here.")
@click.option(
    "--host", metavar="NAME", type=GIVEN, help="With --archive: only what was said on this machine."
)
@json_option
def history(
    query: tuple[str, ...],
    since: str | None,
    repo: str | None,
    limit: int,
    markdown: bool,
    context: str | None,
    archive: bool,
    host: str | None,
) -> None:
    """Search all intents and milestones.

    QUERY words are all looked for; without them the newest entries are listed.
    """
    begin = parse_since(since, datetime.now().astimezone()) if since else None
    below = absolute(repo, "--repo") if repo else ""
    named = context or settings().context
    if archive and named:
        raise InvalidInput("--context means one here, not in the archive", hint="leave it out, or --archive")
    if host and not archive:
        raise InvalidInput("--host is for the archive", hint="add --archive")
    with services() as driver:
        asked: Callable[..., Sequence[Entry]] = partial(driver.context.history, context=named)
        if archive:
            asked = partial(driver.archive.history, host=host or "")
        found = _pages(partial(asked, " ".join(query), since=begin, repo=below), limit)
    answer(found, lambda: as_markdown(found) if markdown else as_table(found))
    if not found:
        note("nothing found" if query or since or repo or named or host else "nothing recorded yet")


def _pages(page: Callable[..., Sequence[Entry]], limit: int) -> list[Entry]:
    """Up to `limit` entries: one answer holds `LIMIT_MAX` of them at most."""
    found: list[Entry] = []
    while left := min(limit - len(found), LIMIT_MAX):
        more = page(limit=left, before=found[-1].id if found else "")
        found += more
        if len(more) < left:
            break
    return found


def as_table(entries: Sequence[Entry]) -> str:
    return table([_row(entry) for entry in entries])


def _row(of: Entry) -> tuple[str, ...]:
    commit = dim(f"  {of.commit[:8]}") if of.commit else ""
    text = bold(printable(of.text)) if of.type == "intent" else printable(of.text)
    host = (dim(printable(of.host)),) if isinstance(of, ArchivedEntry) else ()
    where = dim(home_relative(of.context.root))
    return mark(of), text + commit, *host, where, dim(age(of.at)), dim(short(of.id))


def mark(of: Entry) -> str:
    """One character for what an entry is."""
    return "▶" if of.type == "intent" else MARKS[of.kind or "milestone"]


def as_markdown(entries: Sequence[Entry]) -> str:
    """Newest day first, in local time; intents bold, milestones as they are."""
    blocks = []
    for day, of_day in groupby(entries, key=lambda entry: entry.at.astimezone().date()):
        blocks.append(f"## {day.isoformat()}\n\n" + "\n".join(_item(entry) for entry in of_day))
    return "\n\n".join(blocks)


def _item(of: Entry) -> str:
    text = _escaped(of.text)
    shown = f"**{text}**" if of.type == "intent" else text
    kind = f" _({of.kind})_" if of.kind and of.kind != "milestone" else ""
    commit = f" `{of.commit[:8]}`" if of.commit else ""
    artifacts = "".join(f" [{_escaped(a)}]" for a in of.artifacts)
    root = _escaped(home_relative(of.context.root))
    return f"- {of.at.astimezone():%H:%M} {shown}{kind}{commit}{artifacts} · {root}"


def _escaped(text: str) -> str:
    """Markdown's own signs as text, on one line."""
    plain = " ".join(printable(text).split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|~&$" else c for c in plain)
