"""`zdriver import`: take over what another tool knows."""

from __future__ import annotations

import click

from zdriver.cli.options import GIVEN_PATH, examples, json_option
from zdriver.cli.output import answer, dim, green, home_relative, note, plural, printable, table, yellow
from zdriver.cli.services import absolute, services
from zdriver.core import paths
from zdriver.importing.model import Imported, ImportedContexts, Taken, TakenContext

#: Seconds that a thousand worktrees may take.
TIMEOUT = 600.0
#: What zellij-driver uses where nothing else is said.
DEFAULT_URL = "redis://127.0.0.1:6379"


@click.group("import", epilog=examples("zdriver import imi --dry-run", "zdriver import imi"))
@json_option
def import_() -> None:
    """Take over what another tool knows.

    It is only read: nothing of the other tool is changed, and both can be used
    side by side. What was taken over once is left alone the next time.
    """


@import_.command(
    epilog=examples(
        "zdriver import imi --dry-run            what there is, and what cannot be read",
        "zdriver import imi                      from ~/.config/iMi/iMi.db",
        "zdriver import imi ~/code/app           a container with a folder .iMi",
    )
)
@click.argument("path", required=False, type=GIVEN_PATH)
@click.option("--dry-run", is_flag=True, help="Only say what would be taken over.")
@json_option
def imi(path: str | None, dry_run: bool) -> None:
    """Take over the worktrees of iMi.

    PATH is its database, the folder with it, or a container. Worktrees on disk are registered where
    they are, with type, branch, base and times; who is at work in one holds it for half an hour.
    """
    source = absolute(path, "PATH") if path else str(paths.config_dir().parent / "iMi" / "iMi.db")
    with services(doing="reading", timeout=TIMEOUT) as driver:
        done = driver.imports.imi(source, dry_run=dry_run)
    answer(done, lambda: _words(done))
    for each in done.unread:
        note(yellow(f"! {printable(each.what)}: {printable(each.reason)}"))


@import_.command(
    "zellij-driver",
    epilog=examples(
        "zdriver import zellij-driver --dry-run               what there is, and what cannot be read",
        "zdriver import zellij-driver redis://localhost:6379",
    ),
)
@click.argument("url", default=DEFAULT_URL, metavar="[URL]", required=False)
@click.option("--dry-run", is_flag=True, help="Only say what would be taken over.")
@json_option
def zellij_driver(url: str, dry_run: bool) -> None:
    """Take over an earlier zellij-driver's Redis keys.

    Each pane's history becomes milestones of the folder it stood in, its last intent the intent
    where there is none, its snapshots generations that `zdriver snapshot list` shows. Without URL it
    is redis://127.0.0.1:6379.
    """
    with services(doing="reading", timeout=TIMEOUT) as driver:
        done = driver.imports.zellij_driver(url, dry_run=dry_run)
    answer(done, lambda: _told(done))
    for each in done.unread:
        note(yellow(f"! {printable(each.what)}: {printable(each.reason)}"))


def _told(done: ImportedContexts) -> str:
    would = "would be " if done.dry_run else ""
    milestones = sum(each.milestones for each in done.contexts)
    said = [f"{green('✓')} {plural(milestones, 'milestone')} {would}taken over"]
    if done.snapshots:
        said.append(plural(done.snapshots, "snapshot"))
    if done.known:
        said.append(f"{done.known:,} known already")
    if done.unread:
        said.append(f"{len(done.unread):,} not")
    return "\n".join([", ".join(said), table([_context_row(each) for each in done.contexts])]).strip()


def _context_row(of: TakenContext) -> tuple[str, ...]:
    where = f"{home_relative(of.root)} in {printable(of.zellij_session)}"
    steps = plural(of.milestones, "milestone")
    return dim(where if of.zellij_session else home_relative(of.root)), steps, printable(of.intent)


def _words(done: Imported) -> str:
    would = "would be " if done.dry_run else ""
    count = plural(len(done.worktrees), "worktree")
    said = [f"{green('✓')} {count} {would}taken over"]
    if done.known:
        said.append(f"{plural(done.known, 'worktree')} known already")
    if done.unread:
        said.append(f"{len(done.unread):,} not")
    lines = [", ".join(said), table([_row(each) for each in done.worktrees])]
    if done.types:
        lines.append(f"types {would}added: {', '.join(done.types)}")
    return "\n".join(line for line in lines if line)


def _row(of: Taken) -> tuple[str, ...]:
    who = f"{printable(of.agent)}{' holds it' if of.claimed else ''}" if of.agent else ""
    steps = plural(of.milestones, "milestone") if of.milestones else ""
    return printable(of.name), of.type, printable(of.branch), who, steps, dim(home_relative(of.path))
