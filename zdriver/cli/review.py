"""`zdriver review 123`: a pull request in a worktree of its own."""

from __future__ import annotations

import click

from zdriver.cli.hooking import run_hook
from zdriver.cli.options import GIVEN, examples, json_option
from zdriver.cli.output import bold, dim, green, note, printable, settings, yellow
from zdriver.cli.services import services
from zdriver.cli.tab import open_tab, tab_option
from zdriver.cli.travel import exec_option, go_to, show
from zdriver.cli.worktree_words import TIMEOUT, received, tell, warn
from zdriver.core.errors import InvalidInput
from zdriver.worktrees.model import Reviewed


@click.command(
    epilog=examples(
        "zdriver review 123",
        "zdriver review https://github.com/owner/repo/pull/123",
        "zdriver review 123 --exec 'make test'",
        "zdriver remove review-123            when you are done: nothing of it stays",
    )
)
@click.argument("number", metavar="PR", type=GIVEN)
@click.option("--remote", metavar="NAME", type=GIVEN, help="Whose pull request; else upstream's or origin's.")
@click.option("--token", type=click.IntRange(1, 2**63 - 1), help="Of your claim on it.")
@exec_option
@tab_option
@click.option("--no-cd", is_flag=True, help="Print the path; the shell stays where it is.")
@click.option("--no-hooks", is_flag=True, help="Run no hook of .zdriver.toml.")
@json_option
def review(
    number: str,
    remote: str | None,
    token: int | None,
    exec_: str,
    tab: bool,
    no_cd: bool,
    no_hooks: bool,
) -> None:
    """Make or update the worktree of a pull request.

    PR is a number or a URL; GitLab's merge requests count as well. It is called review-PR.
    `gh` is asked for title and branch where it is there, else git alone. What is only here
    stays: then it says why the worktree was not brought up to date. Its hooks are a
    stranger's code, and asked about for each commit. Exit code 4: another agent holds it.
    """
    if tab and exec_:
        raise InvalidInput("--tab and --exec exclude each other", hint="give one of them")
    ran = True
    with services(doing="asking for the pull request", timeout=TIMEOUT) as driver:
        done = driver.reviews.review(number, remote=remote or "", token=token or 0)
        tell(done, _words(done))
        if done.reason:
            note(yellow(f"! not brought up to date: {printable(done.reason)}"))
        warn((*done.warnings, *done.provided.warnings, *done.linked.conflicts))
        if done.created and not no_hooks:
            ran = run_hook(driver, done.worktree.path, "post-create")
    if not ran and exec_:
        note(yellow("! what --exec says was not run: the hook before it failed"))
    code = _arrive(done, tab=tab, stay=no_cd, run=exec_ if ran else "")
    if code or not ran:
        raise click.exceptions.Exit(code or 1)


def _words(of: Reviewed) -> str:
    lines = [f"{green('✓')} {bold(printable(of.worktree.name))} {_what(of)}"]
    if of.created and (came := received(of.linked, of.provided)):
        lines[0] += dim(f"  {came}")
    pull = of.worktree.pull_request
    if pull is not None and (pull.title or pull.url):
        state = f"({of.state})" if of.state else ""
        lines.append("  " + "  ".join(printable(each) for each in (pull.title, state, pull.url) if each))
    return "\n".join(lines)


def _what(of: Reviewed) -> str:
    head = of.commit[:8]
    if of.created:
        return f"is made, branch {printable(of.worktree.branch)} at {head}"
    if of.updated:
        return f"is brought from {of.before[:8]} to {head}"
    return f"is there already{'' if of.reason else f', and has {head}, the newest of the pull request'}"


def _arrive(done: Reviewed, *, tab: bool, stay: bool, run: str) -> int | None:
    """Where the shell is from now on; the exit code of `run`."""
    path = done.worktree.path
    if tab:
        open_tab(path, done.worktree.name)
        return None
    if stay and not run:
        if not settings().json:
            show(path)
        return None
    return go_to(path, run=run)
