"""`zdriver worktree prune`: what has done its work goes. Listed first, removed when that is said."""

from __future__ import annotations

import click

from zdriver.cli.options import GIVEN, complete_worktrees, examples, json_option
from zdriver.cli.output import (
    answer,
    confirm,
    home_relative,
    note,
    on_terminal,
    plural,
    printable,
    table,
)
from zdriver.cli.services import services
from zdriver.cli.worktree_leaving import Leaving
from zdriver.cli.worktree_words import TIMEOUT
from zdriver.core.errors import InvalidInput, NotFound
from zdriver.worktrees.model import Prunable, Removed


@click.command(
    epilog=examples(
        "zdriver worktree prune              list them, and ask on a terminal",
        "zdriver worktree prune --yes        remove all of them",
        "zdriver worktree prune feat-x --yes",
    )
)
@click.argument("names", metavar="[NAME]...", nargs=-1, type=GIVEN, shell_complete=complete_worktrees)
@click.option("--yes", is_flag=True, help="Remove them without asking.")
@click.option("--dry-run", is_flag=True, help="Only list them.")
@click.option("--no-hooks", is_flag=True, help="Run no hook of .zdriver.toml.")
@json_option
def prune(names: tuple[str, ...], yes: bool, dry_run: bool, no_hooks: bool) -> None:
    """Remove the worktrees that have done their work.

    Merged ones (by squash or rebase, too), ones whose branch on the remote is gone and whose
    commits are all elsewhere, and ones whose folder was deleted. Never one with work in it,
    that is claimed or in which a program runs. What is removed can be brought back for 14 days.
    With --yes --json one envelope for each that goes.
    """
    if yes and dry_run:
        raise InvalidInput("--yes and --dry-run exclude each other", hint="give one of them")
    with services(doing="looking at the worktrees", timeout=TIMEOUT) as driver:
        found = _chosen(driver.worktrees.prunable(), names)
    if not found or dry_run or not yes:
        _list(found, asked=not (dry_run or yes) and on_terminal())
        if not found or dry_run or not on_terminal():
            return
        confirm(f"Remove {'it' if len(found) == 1 else f'these {len(found)}'}?")
    with services(doing="removing", timeout=TIMEOUT) as driver:
        leaving = Leaving(driver, hooks=not no_hooks)

        meant = {each.worktree.name: each.worktree for each in found}

        def take(name: str) -> Removed:
            def prune() -> Removed:
                return driver.worktrees.prune((name,), cwd=leaving.cwd)[0]

            return leaving.go(name, lambda: meant[name], prune)  # `prunable` has asked what speaks against it

        code = leaving.each(list(meant), take)
    if code:
        raise click.exceptions.Exit(code)


def _chosen(found: tuple[Prunable, ...], names: tuple[str, ...]) -> tuple[Prunable, ...]:
    """Those that are named; all without a name. Raises NotFound."""
    for name in names:
        if all(each.worktree.name != name for each in found):
            raise NotFound(
                f"{name} is not one of those that have done their work",
                hint="`zdriver worktree prune --dry-run` lists them; zdriver remove takes any",
            )
    return tuple(each for each in found if not names or each.worktree.name in names)


def _list(found: tuple[Prunable, ...], *, asked: bool) -> None:
    rows = [
        (printable(each.worktree.name), printable(each.reason), home_relative(each.worktree.path))
        for each in found
    ]
    answer(found, lambda: table(rows))
    if not found:
        note("there is nothing to prune: every worktree has work, or is new")
    elif not asked:
        note(f"nothing was removed; remove {plural(len(found), 'worktree')}: zdriver worktree prune --yes")
