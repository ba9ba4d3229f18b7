"""`zdriver worktree adopt`, `repair` and `recover`: taken in, put right, brought back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from zdriver.cli.options import GIVEN, GIVEN_PATH, examples, json_option
from zdriver.cli.output import age, answer, dim, green, home_relative, note, printable, table
from zdriver.cli.services import absolute, services
from zdriver.cli.worktree_words import TIMEOUT, received, warn
from zdriver.core.ids import short
from zdriver.worktrees.model import Added, Removal, Repaired


@click.command(
    epilog=examples(
        "zdriver worktree adopt ../shop-experiment",
        "zdriver worktree adopt ../shop-experiment --type exp",
    )
)
@click.argument("path", type=GIVEN_PATH)
@click.option("--type", metavar="TYPE", type=GIVEN, help="Of which type it is; else by its name or branch.")
@json_option
def adopt(path: str, type: str | None) -> None:
    """Take in a worktree that was made by other means.

    It stays where it is; zdriver may remove and merge it from then on.
    """
    with services(doing="taking it in", timeout=TIMEOUT) as driver:
        taken = driver.worktrees.adopt(absolute(path, "PATH"), type=type or "")
    branch = printable(taken.branch or "(detached)")
    answer(taken, lambda: f"{green('✓')} {printable(taken.name)} is taken in, type {taken.type}, on {branch}")


@click.command(epilog=examples("zdriver worktree repair --dry-run", "zdriver worktree repair"))
@click.option("--dry-run", is_flag=True, help="Only say what is wrong.")
@json_option
def repair(dry_run: bool) -> None:
    """Put right what was killed halfway or moved.

    What was being made or removed is finished or taken back, and links between git and
    folders are mended. Nothing that somebody works in is deleted.
    """
    with services(doing="repairing", timeout=TIMEOUT) as driver:
        found = driver.worktrees.repair(dry_run=dry_run)
    answer(found, lambda: table([_repaired(each) for each in found]))
    if not found:
        note(f"{green('✓')} nothing has to be repaired")
    elif dry_run:
        note("nothing was changed; do it: zdriver worktree repair")


def _repaired(of: Repaired) -> tuple[str, ...]:
    return printable(of.name), printable(of.found), f"→ {printable(of.done)}"


@click.command(
    epilog=examples(
        "zdriver worktree recover                list what can be brought back",
        "zdriver worktree recover feat-x         by its name, or the id in the list",
    )
)
@click.argument("id", metavar="[ID]", required=False, type=GIVEN)
@json_option
def recover(id: str | None) -> None:
    """Bring a removed one back, or list what can be.

    Its branch, uncommitted changes and untracked files are kept for 14 days.
    """
    doing = "bringing it back" if id else "looking at what was kept"
    with services(doing=doing, timeout=TIMEOUT) as driver:
        if id is None:
            found = driver.worktrees.removals()
            answer(found, lambda: _removals(found, datetime.now(UTC)))
            if not found:
                note("nothing was removed here in the last 14 days")
            return
        back = driver.worktrees.recover(id)
    answer(back, lambda: _back(back))
    warn((*back.warnings, *back.provided.warnings, *back.linked.conflicts))


def _removals(found: Sequence[Removal], now: datetime) -> str:
    titles = ("id", "worktree", "commit", "with", "removed", "kept until")
    return table([tuple(map(dim, titles)), *(_removal(each, now) for each in found)]) if found else ""


def _removal(of: Removal, now: datetime) -> tuple[str, ...]:
    parts = ("changes" if of.work else "", "files" if of.trash else "")
    return (
        short(of.id),
        printable(of.name),
        of.head[:10],
        ", ".join(filter(None, parts)),
        age(of.removed_at, now),
        f"{of.expires_at.astimezone():%Y-%m-%d}",
    )


def _back(back: Added) -> str:
    of = back.worktree
    came = received(back.linked, back.provided)
    first = f"{green('✓')} {printable(of.name)} is back, on branch {printable(of.branch or '(none)')}"
    return f"{first}{dim(f'  {came}') if came else ''}\n  {home_relative(of.path)}"
