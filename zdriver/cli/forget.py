"""`zdriver forget`: gone for good."""

from __future__ import annotations

import click

from zdriver.cli.history import mark
from zdriver.cli.options import complete_entries, examples, json_option
from zdriver.cli.output import (
    age,
    answer,
    bold,
    confirm,
    dim,
    green,
    home_relative,
    note,
    on_terminal,
    plural,
    printable,
    table,
    yellow,
)
from zdriver.cli.services import services
from zdriver.context.model import Forgotten, Meant
from zdriver.core.errors import InvalidInput
from zdriver.core.ids import short


@click.command(
    epilog=examples(
        "zdriver history                         shows the ids",
        "zdriver forget 7f3a91c2",
        "zdriver forget 7f3a91c2 0be4d511 --yes",
    )
)
@click.argument("ids", nargs=-1, required=True, metavar="ID...", shell_complete=complete_entries)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
def forget(ids: tuple[str, ...], yes: bool) -> None:
    """Delete entries or contexts for good.

    ID is an intent, a milestone, or a context (then with all that is in it, its
    snapshots too); the end of an id is enough. What it is is shown before it is asked
    for. There is no undo.
    """
    if not yes and not on_terminal():
        raise InvalidInput("forget cannot be undone and there is no terminal to ask on", hint="add --yes")
    if not yes:
        with services() as driver:
            meant = driver.context.meant(ids)
        ids = _asked(meant)
    with services() as driver:
        gone = driver.context.forget(ids)
    answer(gone, lambda: f"{green('✓')} forgotten: {_counted(gone)}")
    if gone.archive == "owed":
        note(yellow("! the archive does not answer: there it is forgotten when it does"))


def _asked(meant: list[Meant]) -> tuple[str, ...]:
    """The whole ids, after a look at what they are. Raises as `confirm` does."""
    click.echo(table([_shown(each) for each in meant]), err=True)
    what = "this" if len(meant) == 1 else f"these {len(meant)}"
    confirm(f"Forget {what} for good?")
    return tuple(each.id for each in meant)


def _shown(of: Meant) -> tuple[str, ...]:
    when = dim(age(of.at)) if of.at else ""
    root = dim(home_relative(of.context.root))
    if of.entry is not None:
        kind = of.entry.kind or of.entry.type
        return f"  {mark(of.entry)} {kind}", bold(printable(of.entry.text)), root, when, dim(short(of.id))
    where = printable(of.context.zellij_session)
    what = f"all of {where}: {_counted(of)}" if where else f"all of it: {_counted(of)}"
    return "  ■ context", bold(what), root, when, dim(short(of.id))


def _counted(of: Meant | Forgotten) -> str:
    return ", ".join(
        (
            plural(of.intents, "intent"),
            plural(of.milestones, "milestone"),
            plural(of.snapshots, "snapshot"),
        )
    )
