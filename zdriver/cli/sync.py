"""`zdriver sync`: shared configuration, linked into every worktree of a repository."""

from __future__ import annotations

import click

from zdriver.cli.options import GIVEN, examples, json_option
from zdriver.cli.output import (
    answer,
    bold,
    dim,
    green,
    home_relative,
    note,
    plural,
    printable,
    red,
    settings,
    table,
    yellow,
)
from zdriver.cli.services import services
from zdriver.core.errors import InvalidInput
from zdriver.sync.model import Applied, Obstacle, Refused, Synced, SyncStatus

#: Seconds that 5,000 files in 100 worktrees may take.
TIMEOUT = 600.0
#: Lines of each list shown to a person.
_LINES = 20


@click.group(
    invoke_without_command=True,
    epilog=examples(
        "mkdir -p ../sync/repo && mv .env ../sync/repo/     share it with every worktree",
        "zdriver sync                                       what is shared, and how each worktree stands",
        "zdriver sync repair feat-x --path .env --force     the shared one instead of its own",
    ),
)
@json_option
@click.pass_context
def sync(ctx: click.Context) -> None:
    """Share configuration among the worktrees.

    Each file in sync/repo and sync/global, beside the worktrees, is there in all of them as a
    relative link, and stays so while the daemon runs. sync/zdriver.toml says what to copy or ignore:
    `[paths]`, then lines such as `"config/*.json" = "copy"`.
    """
    if ctx.invoked_subcommand is None:
        _status()


@sync.command(epilog=examples("zdriver sync status", "zdriver sync status --json"))
@json_option
def status() -> None:
    """Show what is shared and how each worktree stands."""
    _status()


@sync.command(epilog=examples("zdriver sync apply"))
@json_option
def apply() -> None:
    """Bring every worktree up to date now.

    What git tracks and what you put there yourself stays as it is, and is listed. Exit code 1: the
    system refused something.
    """
    with services(doing="linking", timeout=TIMEOUT) as driver:
        done = driver.sync.apply()
    _show(done)


@sync.command(
    epilog=examples(
        "zdriver sync repair                              make what is missing",
        "zdriver sync repair feat-x --path .env --force   put its own .env aside, link the shared one",
    )
)
@click.argument("name", required=False, type=GIVEN)
@click.option(
    "--path", "paths", metavar="PATH", multiple=True, type=GIVEN, help="Only there; may be given many times."
)
@click.option("--force", is_flag=True, help="Files of its own give way, after a copy was put aside.")
@click.option("--token", type=click.IntRange(0, 2**63 - 1), default=0, help="Of your claim on the worktree.")
@json_option
def repair(name: str | None, paths: tuple[str, ...], force: bool, token: int) -> None:
    """Make links anew in one worktree, or in all.

    Without --force this replaces nothing. With it, NAME must not be claimed by somebody else.
    """
    if paths and not force:
        raise InvalidInput("--path says where --force may replace files", hint="give --force as well")
    with services(doing="linking", timeout=TIMEOUT) as driver:
        done = driver.sync.repair(name or "", paths=paths, force=force, token=token)
    _show(done)


# ---- words -------------------------------------------------------------------------------


def _status() -> None:
    with services(doing="looking at the worktrees", timeout=TIMEOUT) as driver:
        found = driver.sync.status()
    answer(found, lambda: _words(found))
    if not found.exists:
        note(f"nothing is shared yet; `mkdir -p {home_relative(found.folder)}/repo`, and put files there")
    elif found.unwatched:
        note(yellow(f"! changes are not followed: {printable(found.unwatched)}"))


def _words(of: SyncStatus) -> str:
    lines = []
    if of.exists:
        followed = "" if of.unwatched else dim(", followed by the daemon")
        lines.append(f"{bold(home_relative(of.folder))}  {plural(of.files, 'file')} shared{followed}")
        lines.append(table([_row(each) for each in of.worktrees]))
    lines += _listed("hidden by sync/repo", [f"sync/global/{printable(each)}" for each in of.hidden])
    lines += _listed("not shared", [_refused(each) for each in of.refused])
    lines += _listed("worth knowing", [_refused(each) for each in of.remarks])
    lines += _listed("in the way", [_obstacle(each) for each in of.obstacles])
    return "\n".join(line for line in lines if line)


def _row(of: Synced) -> tuple[str, ...]:
    if of.trouble:
        return printable(of.name), red(printable(of.trouble))
    parts = [plural(of.links, "link")]
    parts += [f"{of.copies} copied"] if of.copies else []
    parts += [f"{of.changed} edited there"] if of.changed else []
    parts += [yellow(f"{of.missing} to do")] if of.missing else []
    parts += [yellow(f"{of.obstacles} in the way")] if of.obstacles else []
    return printable(of.name), ", ".join(parts)


def _show(done: Applied) -> None:
    """Exit code 1 when the system did not let everything be done."""
    answer(done, lambda: _applied(done))
    if not settings().json:
        _notes(done)
    if done.failures:
        raise click.exceptions.Exit(1)


def _notes(done: Applied) -> None:
    if done.aside:
        note(f"what was replaced is kept in {home_relative(done.aside)}")
    for line in _listed("not shared", [_refused(each) for each in done.refused]):
        note(line)
    for line in _listed("kept, for you edited them", [printable(each) for each in done.kept]):
        note(line)
    for line in _listed("in the way", [_obstacle(each) for each in done.obstacles]):
        note(line)
    failures = [
        f"{printable(each.worktree)}/{printable(each.path)}: {printable(each.reason)}; {printable(each.hint)}"
        for each in done.failures
    ]
    for line in _listed(red("failed"), failures):
        note(line)


def _applied(done: Applied) -> str:
    counts = ((done.made, "made"), (done.updated, "updated"), (done.removed, "removed"))
    what = ", ".join(f"{count:,} {word}" for count, word in counts if count)
    if not what:
        return f"{green('✓')} nothing to do" if not done.failures else f"{red('✗')} nothing could be done"
    return f"{green('✓')} {what} in {plural(len(done.worktrees), 'worktree')}"


def _listed(title: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    more = [dim(f"  … and {len(lines) - _LINES:,} more (--json has them)")] if len(lines) > _LINES else []
    return [f"{title}:", *(f"  {line}" for line in lines[:_LINES]), *more]


def _refused(of: Refused) -> str:
    return printable(of.source) + f": {printable(of.reason)}" + (f"; {printable(of.hint)}" if of.hint else "")


def _obstacle(of: Obstacle) -> str:
    where = f"{of.worktree}/{of.path}" if of.path else of.worktree
    return f"{printable(where)}: {printable(of.reason)}; {printable(of.hint)}"
