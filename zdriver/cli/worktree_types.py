"""`zdriver worktree types`: what sorts of worktrees there are."""

from __future__ import annotations

import click

from zdriver.cli.options import GIVEN, examples, json_option
from zdriver.cli.output import answer, dim, green, note, printable, table
from zdriver.cli.services import services
from zdriver.worktrees.model import WorktreeType


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "zdriver worktree types",
        'zdriver worktree types add chore --description "what nobody sees"',
        "zdriver chore tidy-up               each type is a command, if none has its name",
    ),
)
@json_option
@click.pass_context
def types(ctx: click.Context) -> None:
    """List the types of worktrees, add your own."""
    if ctx.invoked_subcommand is None:
        _list()


@types.command("list", epilog=examples("zdriver worktree types list"))
@json_option
def list_() -> None:
    """List the types."""
    _list()


@types.command(
    epilog=examples(
        'zdriver worktree types add chore --description "what nobody sees"',
        "zdriver worktree types add hotfix --from origin/stable",
    )
)
@click.argument("name", type=GIVEN)
@click.option("--description", metavar="TEXT", default="", help="What it is for, in a line.")
@click.option("--from", "base", metavar="REF", type=GIVEN, help="What new ones start from.")
@json_option
def add(name: str, description: str, base: str | None) -> None:
    """Add a type of your own.

    NAME is 1 to 24 lower case letters and digits. `zdriver NAME …` makes such a worktree.
    """
    with services() as driver:
        made = driver.worktrees.add_type(name, description=description, base=base or "")
    answer(made, lambda: f"{green('✓')} {made.name} is a type now: {_command(made.name)} NAME")


@types.command(epilog=examples("zdriver worktree types remove chore"))
@click.argument("name", type=GIVEN)
@json_option
def remove(name: str) -> None:
    """Remove a type of your own, which no worktree has any more."""
    with services() as driver:
        gone = driver.worktrees.remove_type(name)
    answer(gone, lambda: f"{green('✓')} the type {gone.name} is removed")


def _list() -> None:
    with services() as driver:
        found = driver.worktrees.types()
    answer(found, lambda: table([_row(each) for each in found]))
    if all(each.builtin for each in found):
        note(dim('add your own: zdriver worktree types add NAME --description "…"'))


def _row(of: WorktreeType) -> tuple[str, ...]:
    start = f"from {printable(of.base)}" if of.base else ""
    return of.name, printable(of.description), start, "" if of.builtin else dim("your own")


def _command(type_: str) -> str:
    """How one is made: a type that is called as a command is no command itself."""
    from zdriver.cli.main import cli

    taken = type_ in cli.list_commands(click.get_current_context())
    return f"zdriver worktree add {type_}" if taken else f"zdriver {type_}"
