"""`zdriver worktree list`, `show`, `path` and `env`: what there is, and how it stands."""

from __future__ import annotations

import shlex
import shutil
import sys
from datetime import UTC, datetime

import click

from zdriver.cli.options import GIVEN, complete_worktrees, examples, json_option
from zdriver.cli.output import (
    age,
    answer,
    bold,
    dim,
    home_relative,
    note,
    plural,
    printable,
    settings,
    table,
    yellow,
)
from zdriver.cli.services import services
from zdriver.cli.travel import show as show_path
from zdriver.cli.worktree_table import drawn
from zdriver.cli.worktree_words import TIMEOUT, held
from zdriver.worktrees.model import Condition, Line, Worktree

NAME = click.argument("name", required=False, type=GIVEN, shell_complete=complete_worktrees)


@click.command(
    "list",
    epilog=examples(
        "zdriver worktree list",
        "zdriver worktree list --fast       without asking git how each stands",
        "zdriver worktree list --all-hosts  other machines' too, where they share one store",
        "zdriver worktree list --json | jq -r '.data[].worktree.path'",
    ),
)
@click.option("--fast", is_flag=True, help="Leave out what git has to be asked for.")
@click.option("--all-hosts", is_flag=True, help="Of this repository's clones on other machines, too.")
@json_option
def list_(fast: bool, all_hosts: bool) -> None:
    """List this repository's worktrees, and how each stands.

    base, remote: commits it has (↑) and has not (↓) beside the branch it came from and its
    remote branch, = when level. work: + staged, ~ changed, ? untracked, ! conflicted.
    * is where you are.
    """
    with services(doing="looking at the worktrees", timeout=TIMEOUT) as driver:
        found = driver.worktrees.list(conditions=not fast, all_hosts=all_hosts)
    now = datetime.now(UTC)
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    answer(found, lambda: drawn(found, now, room))
    if all(line.worktree.trunk for line in found):
        note("no worktrees yet; make one: zdriver feat NAME")
    foreign = [line.worktree.path for line in found if not line.worktree.id and not line.host]
    if foreign:
        command = f"zdriver worktree adopt {shlex.quote(foreign[0])}"
        note(dim(f"{plural(len(foreign), 'worktree')} made by other means; to take it in: {command}"))


@click.command(
    epilog=examples(
        "zdriver worktree show               where you are",
        "zdriver worktree show user-auth     a part of the name does, if only one has it",
    )
)
@NAME
@json_option
def show(name: str | None) -> None:
    """Show one: branch, work, holder, what it is for.

    Without NAME the one you are in.
    """
    with services(doing="looking at the worktree", timeout=TIMEOUT) as driver:
        line = driver.worktrees.show(name or "")
    answer(line, lambda: _words(line, datetime.now(UTC)))


@click.command(
    epilog=examples(
        'cd "$(zdriver worktree path user-auth)"',
        "zdriver worktree path               the top of the one you are in",
    )
)
@NAME
@json_option
def path(name: str | None) -> None:
    """Print where a worktree lies.

    Without NAME the one you are in.
    """
    with services() as driver:
        found = driver.worktrees.show(name or "").worktree
    if settings().json:
        answer(found, str)
    else:
        show_path(found.path)


@click.command(
    epilog=examples(
        'eval "$(zdriver worktree env)"              its ports, and ZDRIVER_WORKTREE',
        "zdriver worktree env user-auth --json",
    )
)
@NAME
@json_option
def env(name: str | None) -> None:
    """Print a worktree's variables as lines for a shell.

    The ports that `ports = […]` in .zdriver.toml leased for it, and its names. Without NAME
    of the one you are in. The lines work in bash, zsh and fish.
    """
    with services() as driver:
        found = driver.worktrees.environment(name or "")
    answer(found, lambda: "\n".join(f"export {key}={shlex.quote(value)}" for key, value in found.items()))


# ---- words -------------------------------------------------------------------------------


def _words(line: Line, now: datetime) -> str:
    of = line.worktree
    rows = [
        ("type", _made(of, now)),
        ("branch", _branch(of, line.condition)),
        ("remote", _remote(line.condition)),
        ("work", _work(line.condition)),
        ("held", f"by {held(line.claim, now)}" if line.claim else ""),
        ("for", printable(line.intent)),
        ("pull", _request(of)),
        ("trouble", yellow(printable(line.trouble)) if line.trouble else ""),
    ]
    body = table([(f"  {dim(name)}", text) for name, text in rows if text])
    return f"{bold(printable(of.name))}  {home_relative(of.path)}\n{body}"


def _made(of: Worktree, now: datetime) -> str:
    if of.trunk:
        return "the trunk, the repository's main worktree"
    by = f" by {printable(of.agent)}" if of.agent else " by other means"
    return f"{of.type}, {printable(of.title)!r} made{by} {age(of.created_at, now)}"


def _branch(of: Worktree, state: Condition | None) -> str:
    if not of.branch:
        return "(detached)"
    if state is None or of.trunk:
        return printable(of.branch)
    base = printable(of.base) or "its base"
    beside = [
        f"{plural(state.ahead, 'commit')} more than {base}" if state.ahead else "",
        f"{plural(state.behind, 'commit')} of {base} missing" if state.behind else "",
    ]
    return f"{printable(of.branch)}, {', '.join(filter(None, beside)) or f'level with {base}'}"


def _remote(state: Condition | None) -> str:
    if state is None or not state.upstream:
        return ""
    beside = [
        f"{plural(state.upstream_ahead, 'commit')} to push" if state.upstream_ahead else "",
        f"{plural(state.upstream_behind, 'commit')} to pull" if state.upstream_behind else "",
    ]
    return f"{printable(state.upstream)}, {', '.join(filter(None, beside)) or 'level'}"


def _work(state: Condition | None) -> str:
    if state is None:
        return ""
    kinds = (
        (state.staged, "staged"),
        (state.changed, "changed"),
        (state.untracked, "untracked"),
        (state.conflicted, "conflicted"),
    )
    parts = [f"{count} {kind}" for count, kind in kinds if count]
    if state.operation:
        parts.append(f"a {state.operation} is under way")
    return ", ".join(parts) or "nothing uncommitted"


def _request(of: Worktree) -> str:
    if of.pull_request is None:
        return ""
    parts = (f"#{of.pull_request.number}", printable(of.pull_request.title), printable(of.pull_request.url))
    return "  ".join(part for part in parts if part)
