"""`zdriver merge`: a worktree's branch into its base, locally; then the worktree goes."""

from __future__ import annotations

import click

from zdriver.cli.options import GIVEN, complete_worktrees, examples, json_option, token_option
from zdriver.cli.output import green, printable
from zdriver.cli.services import services
from zdriver.cli.worktree_leaving import Leaving, report, told
from zdriver.cli.worktree_words import TIMEOUT
from zdriver.core import caller
from zdriver.core.errors import InvalidInput
from zdriver.worktrees.model import Merged


@click.command(
    epilog=examples(
        "zdriver merge                          the worktree you are in, into its base",
        "zdriver merge user-auth --squash       all of it as one commit",
        "zdriver merge user-auth --rebase --keep",
        "zdriver worktree merge user-auth       the same",
    )
)
@click.argument("name", required=False, type=GIVEN, shell_complete=complete_worktrees)
@click.option("--squash", is_flag=True, help="One commit with all of it.")
@click.option("--rebase", is_flag=True, help="Its commits one by one, no merge commit.")
@click.option("--keep", is_flag=True, help="The worktree stays.")
@token_option
@click.option("--no-hooks", is_flag=True, help="Run no hook of .zdriver.toml.")
@json_option
def merge(name: str | None, squash: bool, rebase: bool, keep: bool, token: int, no_hooks: bool) -> None:
    """Merge a worktree into its base, then remove it.

    Locally; nothing is pushed. Refused as `zdriver remove` is, but for commits that are
    nowhere else: they are what is merged. A conflict leaves everything as it was.
    Without NAME the one you are in.
    """
    if squash and rebase:
        raise InvalidInput("--squash and --rebase exclude each other", hint="give one of them")
    how = "squash" if squash else "rebase" if rebase else "merge"
    with services(doing="merging", timeout=TIMEOUT) as driver:
        leaving = Leaving(driver, hooks=not (no_hooks or keep))
        trees, meant, cwd, pids = driver.worktrees, leaving.meant(name or ""), leaving.cwd, caller.pids()
        merged = leaving.go(
            meant,
            lambda: trees.removable(meant, merging=how, token=token, cwd=cwd, pids=pids),
            lambda: trees.merge(meant, how=how, keep=keep, token=token, cwd=cwd, pids=pids),
        )
        inside = merged.removed is not None and leaving.gone(merged.removed)
        _show(merged, inside=inside)
        leaving.after()
        code = leaving.land()
    if code:
        raise click.exceptions.Exit(code)


def _show(merged: Merged, *, inside: bool) -> None:
    name, into = printable(merged.worktree.name), printable(merged.into)
    lines = [f"{green('✓')} {name} is merged into {into}, which stands at {merged.commit[:10]} now"]
    if merged.removed is not None:
        lines += ["  the worktree is removed", *told(merged.removed)]
    report(merged, "\n".join(lines), aside=inside)
