"""`zdriver milestone`: steps reached on the way."""

from __future__ import annotations

from typing import get_args

import click

from zdriver.cli.options import complete_files, context_option, examples, json_option
from zdriver.cli.output import age, answer, dim, green, note, printable, table
from zdriver.cli.services import given_text, place, services
from zdriver.context.model import Kind, Milestone
from zdriver.core.errors import InvalidInput
from zdriver.core.ids import short

MARKS = {"milestone": "●", "checkpoint": "◆", "exploration": "○"}


@click.command(
    epilog=examples(
        "zdriver milestone                       list them",
        'zdriver milestone "Extracted models" --artifact models.py',
        'zdriver milestone "Tried asyncpg, too slow" --kind exploration',
        "zdriver milestone --undo                take the newest one back",
    )
)
@click.argument("text", nargs=-1)
@click.option(
    "--kind", type=click.Choice(get_args(Kind)), help="What sort of step; `milestone` if not given."
)
@click.option(
    "--artifact",
    "artifacts",
    multiple=True,
    metavar="PATH|URL",
    shell_complete=complete_files,
    help="Something that came of it; may be given many times.",
)
@click.option("--undo", is_flag=True, help="Take back the newest milestone of this context.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many to list."
)
@context_option
@json_option
def milestone(
    text: tuple[str, ...], kind: Kind | None, artifacts: tuple[str, ...], undo: bool, limit: int
) -> None:
    """Record a step reached, or list them.

    Without TEXT this context's milestones are listed, newest first. TEXT words are
    joined; `-` reads stdin. The git commit of the folder is taken along.
    """
    if undo and (text or kind or artifacts):
        raise InvalidInput("--undo takes nothing else", hint="give it alone")
    if not text and (kind or artifacts):
        raise InvalidInput("--kind and --artifact need a text", hint='zdriver milestone "what was reached" …')
    if undo:
        _undo()
    elif text:
        _record(given_text(text), kind or "milestone", artifacts)
    else:
        _list(limit)


def _record(text: str, kind: Kind, artifacts: tuple[str, ...]) -> None:
    with services() as driver:
        new = driver.context.record_milestone(text, place=place(), kind=kind, artifacts=artifacts)
    answer(new, lambda: f"{green('✓')} {new.kind}: {printable(new.text)}{_details(new)}")


def _undo() -> None:
    with services() as driver:
        gone = driver.context.undo_milestone(place=place())
    answer(gone, lambda: f"{green('✓')} taken back: {printable(gone.text)}")


def _list(limit: int) -> None:
    with services() as driver:
        found = driver.context.milestones(place=place(), limit=limit)
    answer(found, lambda: table([_row(m) for m in found]))
    if not found:
        note('no milestones here yet; record one: zdriver milestone "what was reached"')


def _row(of: Milestone) -> tuple[str, ...]:
    return MARKS[of.kind], printable(of.text) + _details(of), dim(age(of.recorded_at)), dim(short(of.id))


def _details(of: Milestone) -> str:
    commit = of.commit[:8] if of.commit else ""
    return "".join(dim(f"  {printable(part)}") for part in (commit, *of.artifacts) if part)
