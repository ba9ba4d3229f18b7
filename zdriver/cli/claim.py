"""`zdriver claim`, `release` and `claims`: who works in which worktree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from zdriver.claims import rules
from zdriver.claims.model import Claim, Turn
from zdriver.cli.completing import completing
from zdriver.cli.options import GIVEN, complete_worktrees, examples, json_option
from zdriver.cli.output import answer, dim, green, home_relative, hush, note, plural, printable, table
from zdriver.cli.services import services
from zdriver.core.errors import InvalidInput

if TYPE_CHECKING:
    from zdriver.library import Driver


def _claimed(driver: Driver) -> Iterator[tuple[str, str]]:
    for claim in driver.claims.list():
        yield claim.worktree, claim.agent


_agent_option = click.option(
    "--agent", metavar="ID", type=GIVEN, help="Who holds it; $ZDRIVER_AGENT, else human:$USER."
)


@click.command(
    epilog=examples(
        "zdriver claim feat-user-auth                     for 30 minutes, or until released",
        "zdriver claim feat-user-auth --wait 600          first come, first served",
        "zdriver claim feat-user-auth --hold -- make test",
        'zdriver claim feat-user-auth --force --reason "its agent hangs"',
    )
)
@click.argument("name", type=GIVEN, shell_complete=complete_worktrees)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@_agent_option
@click.option("--lease", metavar="S", type=float, help="Seconds it lasts: 60 with --hold, else 1800.")
@click.option("--wait", metavar="S", type=float, default=0.0, help="Wait so many seconds for it.")
@click.option("--renew", is_flag=True, help="Only make a claim you have last longer.")
@click.option("--hold", is_flag=True, help="Hold it while COMMAND runs there.")
@click.option("--force", is_flag=True, help="Take it from whoever holds it; needs --reason.")
@click.option("--reason", metavar="TEXT", type=GIVEN, help="Why: its holder hears it, and it is kept.")
@json_option
def claim(
    name: str,
    command: tuple[str, ...],
    agent: str | None,
    lease: float | None,
    wait: float,
    renew: bool,
    hold: bool,
    force: bool,
    reason: str | None,
) -> None:
    """Hold a worktree, so that nobody else works in it.

    The same agent gets its own claim again, renewed. Exit code 4: another holds it.
    With --hold it is claimed, COMMAND runs in its folder with ZDRIVER_CLAIM_TOKEN, and it
    is released when COMMAND itself has ended; exit code as COMMAND's, 125 when holding failed.
    Taken over, COMMAND gets SIGTERM within a third of the lease, SIGKILL 10 s later; when zdriver
    is killed, SIGTERM at once.
    """
    _consistent(command, lease, wait, renew, hold, force, reason)
    if hold:
        from zdriver.cli.holding import run

        raise click.exceptions.Exit(
            run(name, command, agent=agent or "", lease=lease or rules.BEATEN, wait=wait, force=reason)
        )
    session = os.environ.get("ZELLIJ_SESSION_NAME", "")
    who, length = agent or "", lease or 0.0
    with services(doing="waiting for the claim" if wait else "waiting for the zdriver daemon") as driver:
        if renew:
            had = driver.claims.renew(name, lease=length, agent=who)
        elif force:
            had = driver.claims.take(name, reason=reason or "", lease=length, agent=who, session=session)
        else:
            had = driver.claims.claim(
                name, lease=length, wait=wait, agent=who, session=session, waiting=waiting
            )
    answer(had, lambda: f"{green('✓')} {_held(had)}")


def _consistent(
    command: tuple[str, ...],
    lease: float | None,
    wait: float,
    renew: bool,
    hold: bool,
    force: bool,
    reason: str | None,
) -> None:
    if hold != bool(command):
        raise InvalidInput(
            "--hold needs a command" if hold else "a command needs --hold",
            hint="zdriver claim NAME --hold -- COMMAND …",
        )
    if force != (reason is not None):
        raise InvalidInput("--force and --reason need each other", hint="--force --reason TEXT")
    if renew and (wait or hold or force):
        raise InvalidInput("--renew takes no --wait, --hold or --force", hint="give it alone")
    if force and wait:
        raise InvalidInput("--force does not wait", hint="leave --wait out")
    if lease == 0:
        raise InvalidInput("a lease of 0 s is not possible", hint="give 1 second to 7 days, in seconds")
    if lease is not None:
        rules.lease(lease)


def waiting(turn: Turn) -> None:
    """Said once, where there is something to wait for."""
    if turn.holder is not None:
        hush()
        refusal = rules.held(turn.holder, datetime.now(UTC))
        before = f"; {turn.ahead} before you" if turn.ahead else ""
        note(dim(f"{printable(refusal.message)}; waiting{before} …"))


def _held(claim: Claim) -> str:
    until = rules.clock(claim.expires_at, datetime.now(UTC))
    again = " again" if claim.again else ""
    return (
        f"{printable(claim.worktree)} is held until {until}{again} by {printable(claim.agent)}, "
        f"token {claim.token}"
    )


@click.command(
    epilog=examples(
        "zdriver release feat-user-auth",
        "zdriver release feat-user-auth --agent claude-1",
    )
)
@click.argument("name", type=GIVEN, shell_complete=completing(_claimed))
@_agent_option
@click.option("--token", type=click.IntRange(1, 2**63 - 1), help="Only the claim with this token.")
@json_option
def release(name: str, agent: str | None, token: int | None) -> None:
    """Let a worktree go; who waits gets it."""
    with services() as driver:
        ended = driver.claims.release(name, token=token or 0, agent=agent or "")
    answer(ended, lambda: f"{green('✓')} {printable(ended.worktree)} is released")


@click.command(
    epilog=examples(
        "zdriver claims                        who holds what now",
        "zdriver claims feat-user-auth --all   who held it, newest first",
    )
)
@click.argument("name", required=False, type=GIVEN, shell_complete=complete_worktrees)
@click.option("--all", "every", is_flag=True, help="Ended ones, too.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many."
)
@json_option
def claims(name: str | None, every: bool, limit: int) -> None:
    """List who holds what, and who held it.

    Without NAME of every repository.
    """
    with services() as driver:
        found = driver.claims.list(name or "", all=every, limit=limit)
    now = datetime.now(UTC)
    answer(found, lambda: table([_row(each, now) for each in found]))
    if not found:
        note("nobody holds anything" if not name else f"nobody {'ever held' if every else 'holds'} {name}")


def _row(of: Claim, now: datetime) -> tuple[str, ...]:
    since = rules.clock(of.claimed_at, now)
    if of.ended_at is not None:
        until = f"{of.ended} {rules.clock(of.ended_at, now)}" + (f": {of.reason}" if of.reason else "")
    else:
        until = f"until {rules.clock(of.expires_at, now)}"
    queue = f"{plural(of.waiting, 'waiter')}" if of.waiting else ""
    token = dim(f"token {of.token}")
    words = printable(of.worktree), printable(rules.holder(of)), f"since {since}", printable(until), token
    return (*words, queue, dim(home_relative(of.path)))
