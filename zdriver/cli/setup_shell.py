"""`zdriver setup shell`: the function that lets zdriver change a shell's directory."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from zdriver.cli import shellrc, travel
from zdriver.cli.options import examples, json_option
from zdriver.cli.output import answer, home_relative, note
from zdriver.cli.planned import ask, preview, report
from zdriver.cli.shellrc import SHELLS, Shell
from zdriver.core import caller, platform
from zdriver.core.errors import InvalidInput, Unavailable
from zdriver.zellij import setup as steps
from zdriver.zellij.setup import Plan

_DATA = Path(__file__).resolve().parent.parent / "data" / "shell"
#: Ancestors looked at for a shell: editors, `make` and `sudo` may stand between.
_ANCESTORS = 8


@click.command(
    epilog=examples(
        'eval "$(zdriver setup shell bash)"        try it in this shell; zsh likewise',
        "zdriver setup shell fish | source         the same in fish",
        "zdriver setup shell --install             for every shell from now on; asks once",
    )
)
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.option("--install", is_flag=True, help="Put that line into the shell's startup file.")
@click.option("--undo", is_flag=True, help="Take it out again.")
@click.option("--dry-run", "-n", is_flag=True, help="Show what would be changed, and change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
def shell(shell: Shell | None, install: bool, undo: bool, dry_run: bool, yes: bool) -> None:
    """Let zdriver change your shell's directory.

    Prints a function for that, with completions. Without SHELL: for the one this was called from.
    """
    meant = shell or guessed()
    if install and undo:
        raise InvalidInput("--install and --undo do not go together", hint="give one of them")
    if install:
        _install(meant, dry_run=dry_run, yes=yes)
    elif undo:
        _undo(meant, dry_run=dry_run, yes=yes)
    elif dry_run or yes:
        raise InvalidInput("printing changes nothing", hint="add --install or --undo")
    else:
        text = script(meant)
        answer({"shell": meant, "script": text}, lambda: text.rstrip("\n"))


def script(shell: Shell) -> str:
    return (_DATA / f"zdriver.{shell}").read_text("utf-8")


def guessed() -> Shell:
    """The nearest shell above the caller, else `$SHELL`. Raises InvalidInput."""
    pid = caller.pids()[-1]
    for _ in range(_ANCESTORS):
        process = platform.process(pid)
        if process is None or pid <= 1:
            break
        _, program = platform.glance(pid)
        for name in SHELLS:
            if program.lstrip("-") == name:
                return name
        pid = process.parent
    login = Path(os.environ.get("SHELL", "")).name
    for name in SHELLS:
        if login == name:
            return name
    raise InvalidInput(
        "which shell this is cannot be told", hint=f"name it: zdriver setup shell {'|'.join(SHELLS)}"
    )


def _install(shell: Shell, *, dry_run: bool, yes: bool) -> None:
    def make() -> Plan:
        return Plan(changes=(shellrc.plan_install(shell),))

    plan = make()
    if dry_run:
        preview(plan, "with zdriver")
        return
    if plan.open() and not yes:
        ask(f"Put this in?\n  {shellrc.line(shell)}\n", plan)
    done = steps.carry_out(make, datetime.now(UTC))
    report(done, f"the next {shell} has it", "nothing to do: it is there already")
    for change in done.plan.blocked():
        note(shellrc.line(shell))
        raise Unavailable(
            f"{change.path} is read-only",
            hint=f"put that line where your {shell} begins, or make it writable",
        )
    if done.plan.open():
        note(f"in this one: {travel.how(shell)}")


def _undo(shell: Shell, *, dry_run: bool, yes: bool) -> None:
    def make() -> Plan:
        return Plan(changes=(shellrc.plan_undo(shell),))

    plan = make()
    if dry_run:
        preview(plan, "without zdriver")
        return
    if plan.open() and not yes:
        ask(f"Take zdriver out of {shell}?", plan)
    done = steps.carry_out(make, datetime.now(UTC))
    report(done, f"the next {shell} begins without it", "nothing to do: setup put nothing in")
    (change,) = done.plan.changes
    if change.blocked:
        raise Unavailable(
            f"{change.path} is read-only", hint="take out by hand what names zdriver, or make it writable"
        )
    if shellrc.has_line(change.after or b""):
        note(f"{home_relative(str(change.path))} has a line of your own: take it out by hand")
