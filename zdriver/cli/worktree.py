"""`zdriver worktree`: all that can be done with worktrees. `feat`, `remove` … are the same commands."""

from __future__ import annotations

import click

from zdriver.cli.groups import Entry, LazyGroup
from zdriver.cli.options import examples, json_option

SECTIONS = (
    (
        "Make and find",
        (
            Entry("add", "worktree_add", "add", "Make a worktree of TYPE, or go there."),
            Entry("list", "worktree_list", "list_", "List this repository's worktrees, and how each stands."),
            Entry("show", "worktree_list", "show", "Show one: branch, work, holder, what it is for."),
            Entry("path", "worktree_list", "path", "Print where a worktree lies."),
            Entry("adopt", "worktree_mend", "adopt", "Take in a worktree that was made by other means."),
        ),
    ),
    (
        "Take away and bring back",
        (
            Entry("remove", "remove", "remove", "Remove worktrees whose work is done."),
            Entry("merge", "merge", "merge", "Merge a worktree into its base, then remove it."),
            Entry("prune", "worktree_prune", "prune", "Remove the worktrees that have done their work."),
            Entry("recover", "worktree_mend", "recover", "Bring a removed one back, or list what can be."),
            Entry(
                "repair",
                "worktree_mend",
                "repair",
                "Put right what was killed halfway or moved.",
            ),
        ),
    ),
    (
        "Set up",
        (
            Entry("types", "worktree_types", "types", "List the types of worktrees, add your own."),
            Entry("hooks", "hooks", "hooks", "Read and allow the commands of .zdriver.toml."),
            Entry("env", "worktree_list", "env", "Print a worktree's variables as lines for a shell."),
        ),
    ),
)


@click.group(
    cls=LazyGroup,
    sections=SECTIONS,
    epilog=examples(
        "zdriver worktree list",
        "zdriver worktree add feat user-auth      the same: zdriver feat user-auth",
        "zdriver worktree prune --dry-run",
    ),
)
@json_option
def worktree() -> None:
    """Make, list, mend and take away worktrees."""
