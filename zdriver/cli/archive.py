"""`zdriver archive`: bring history to PostgreSQL now."""

from __future__ import annotations

import click

from zdriver.archive.model import KINDS, Archived, Counts
from zdriver.cli.options import examples, json_option
from zdriver.cli.output import answer, green, note, plural
from zdriver.cli.services import services

#: Seconds that the first run over a long history may take.
TIMEOUT = 24 * 3600.0


@click.command(
    epilog=examples(
        "zdriver archive                         now, instead of within a day",
        "zdriver archive --dry-run               only say what would go there",
        "zdriver history --archive database      search it",
    )
)
@click.option("--dry-run", is_flag=True, help="Only say what would go there.")
@json_option
def archive(dry_run: bool) -> None:
    """Bring history to the archive now.

    Intents, milestones, claims, events and what is known of snapshots go to the PostgreSQL that
    archive.url names. The daemon does the same every archive.interval seconds. Nothing goes twice,
    and whatever stops it, the next run goes on from what the archive confirmed.
    """
    with services(doing="archiving", timeout=TIMEOUT) as driver:
        done = driver.archive.run(dry_run=dry_run)
    answer(done, lambda: words(done))
    if done.elsewhere:
        note("another daemon archives the same store just now: nothing was left to do here")


def words(of: Archived) -> str:
    """What was done, in a line or two."""
    if of.dry_run:
        return (
            f"would go to the archive: {_counted(of.rows)}" if of.rows.total else "nothing is left to archive"
        )
    lines = [
        f"{green('✓')} archived: {_counted(of.rows)}" if of.rows.total else f"{green('✓')} nothing is new"
    ]
    if of.forgotten:
        lines.append(f"forgotten there, too: {of.forgotten:,}")
    if of.pruned.total:
        lines.append(f"taken away here, as the archive has it: {_counted(of.pruned)}")
    return "\n".join(lines)


def _counted(of: Counts) -> str:
    found = [(getattr(of, kind), kind) for kind in KINDS]
    return ", ".join(_plural(number, kind) for number, kind in found if number)


def _plural(number: int, kind: str) -> str:
    """1 entry, 2 entries."""
    return (
        ("1 entry" if number == 1 else f"{number:,} entries")
        if kind == "entries"
        else plural(number, kind[:-1])
    )
