"""`zdriver remove`: worktrees go, their work is kept."""

from __future__ import annotations

import click

from zdriver.cli.options import GIVEN, complete_worktrees, examples, json_option, token_option
from zdriver.cli.services import services
from zdriver.cli.worktree_leaving import Leaving
from zdriver.cli.worktree_words import TIMEOUT
from zdriver.core import caller
from zdriver.worktrees.model import Removed


@click.command(
    epilog=examples(
        "zdriver remove user-auth             a part of the name does, if only one has it",
        "zdriver remove .                     where you are; the shell lands in the trunk",
        "zdriver remove exp-a exp-b --force   kept 14 days: zdriver worktree recover",
        "zdriver worktree remove user-auth    the same",
    )
)
@click.argument(
    "names", metavar="NAME...", nargs=-1, required=True, type=GIVEN, shell_complete=complete_worktrees
)
@click.option("--force", is_flag=True, help="In spite of work in it, which is kept; not of a claim.")
@click.option("--delete-remote", is_flag=True, help="Delete its branch on the remote, too.")
@token_option
@click.option("--no-hooks", is_flag=True, help="Run no hook of .zdriver.toml.")
@json_option
def remove(names: tuple[str, ...], force: bool, delete_remote: bool, token: int, no_hooks: bool) -> None:
    """Remove worktrees whose work is done.

    Refused while one has uncommitted work, commits that are nowhere else (merged by squash or
    rebase counts as merged), a claim of another, or a program that runs in it: exit code 4, and
    it says which. The branch goes too if zdriver made it, the one on the remote stays. What is
    removed can be brought back for 14 days. With --json one envelope for each NAME.
    """
    with services(doing="removing", timeout=TIMEOUT) as driver:
        leaving = Leaving(driver, hooks=not no_hooks, force=force)

        def take(name: str) -> Removed:
            trees, cwd, pids = driver.worktrees, leaving.cwd, caller.pids()
            return leaving.go(
                name,
                lambda: trees.removable(name, force=force, token=token, cwd=cwd, pids=pids),
                lambda: trees.remove(
                    name, force=force, delete_remote=delete_remote, token=token, cwd=cwd, pids=pids
                ),
            )

        code = leaving.each([*dict.fromkeys(map(leaving.meant, names))], take)
    if code:
        raise click.exceptions.Exit(code)
