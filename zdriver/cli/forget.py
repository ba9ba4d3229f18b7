"""`zdriver forget`: gone for good."""

from __future__ import annotations

import click

from zdriver.cli.options import complete_entries, examples, json_option
from zdriver.cli.output import answer, green, on_terminal
from zdriver.cli.services import services
from zdriver.core.errors import InvalidInput


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
    snapshots too); the end of an id is enough. There is no undo.
    """
    if not yes:
        if not on_terminal():
            raise InvalidInput("forget cannot be undone and there is no terminal to ask on", hint="add --yes")
        click.confirm(f"Forget {', '.join(ids)} for good?", abort=True, err=True)
    with services() as driver:
        gone = driver.context.forget(ids)
    answer(
        gone,
        lambda: (
            f"{green('✓')} forgotten: {gone.intents} intents, {gone.milestones} milestones, "
            f"{gone.snapshots} snapshots"
        ),
    )
