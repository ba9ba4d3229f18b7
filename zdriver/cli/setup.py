"""`zdriver setup`: into Zellij and the shell, and out again."""

from __future__ import annotations

import shutil
import sysconfig
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from zdriver.cli import shellrc
from zdriver.cli.options import examples, json_option
from zdriver.cli.output import answer, bold, home_relative, note, settings
from zdriver.cli.planned import ask, grants, line, preview, report
from zdriver.cli.setup_shell import shell
from zdriver.core.errors import Unavailable
from zdriver.zellij import setup as steps
from zdriver.zellij.setup import Plan


@click.group(
    epilog=examples(
        "zdriver setup zellij --dry-run",
        "zdriver setup zellij",
        "zdriver setup shell --install",
        "zdriver setup undo",
    )
)
@json_option
def setup() -> None:
    """Put zdriver into Zellij and your shell, or take it out."""


setup.add_command(shell)


@setup.command(
    epilog=examples(
        "zdriver setup zellij --dry-run          what would be changed",
        "zdriver setup zellij                    asks once, keeps a backup",
        "zdriver setup zellij --print            only the lines, to put in by hand",
    )
)
@click.option("--dry-run", "-n", is_flag=True, help="Show what would be changed, and change nothing.")
@click.option("--print", "print_", is_flag=True, help="Print the lines for config.kdl, and change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
def zellij(dry_run: bool, print_: bool, yes: bool) -> None:
    """Put the plugin, its keys and its layouts into Zellij.

    Entries go into your config.kdl, which keeps all else to the byte; a backup is made.
    The permissions are granted in advance, so that Zellij does not ask in the middle of
    your work.
    """
    at = steps.where(own_command())
    if print_:
        lines = steps.snippet(at)
        answer({"snippet": lines}, lambda: lines)
        return
    plan = steps.plan_install(at)
    if dry_run:
        preview(plan, "with zdriver")
        return
    if plan.open() and not yes:
        ask("Set up Zellij like this?", plan, _introduce)
    done = steps.carry_out(lambda: steps.plan_install(at), datetime.now(UTC))
    report(
        done, "zdriver is set up; the next Zellij session has it", "nothing to do: zdriver is set up already"
    )
    if done.plan.blocked():
        _blocked(done.plan, steps.snippet(at))
    if done.plan.open():
        _next_steps(done.plan)


@setup.command(epilog=examples("zdriver setup undo --dry-run", "zdriver setup undo"))
@click.option("--dry-run", "-n", is_flag=True, help="Show what would be changed, and change nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
def undo(dry_run: bool, yes: bool) -> None:
    """Take zdriver out of Zellij and your shells.

    Your history stays.
    """
    at = steps.where(own_command())

    def make() -> Plan:
        plan = steps.plan_undo(at)
        return msgspec.structs.replace(plan, changes=(*plan.changes, *shellrc.all_undone()))

    plan = make()
    if dry_run:
        preview(plan, "without zdriver")
        return
    if plan.open() and not yes:
        ask("Take zdriver out?", plan)
    done = steps.carry_out(make, datetime.now(UTC))
    report(
        done,
        "zdriver is out; open sessions and shells keep it until they end",
        "nothing to do: it is not set up",
    )
    if done.plan.blocked():
        _blocked(done.plan, "")


def own_command() -> Path:
    """The `zdriver` program that the plugin shall run: the link on PATH where it leads to this one."""
    own = Path(sysconfig.get_path("scripts")) / "zdriver"
    found = shutil.which("zdriver")
    if found and (not own.exists() or Path(found).resolve() == own.resolve()):
        return Path(found).absolute()
    return own


def _introduce(plan: Plan) -> None:
    for granted in grants(plan):
        click.echo(granted, err=True)
    click.echo(bold("These files are concerned:"), err=True)


def _next_steps(plan: Plan) -> None:
    note("next: open `zellij` in a project; `Alt m` is zdriver's menu")
    config = next(change for change in plan.changes if change.kind == "config")
    if not steps.default_layout(config).startswith("zdriver"):
        file = home_relative(str(config.path))
        note("to see the intent in every tab: `zellij -n zdriver`")
        note(f'to see it always: put `default_layout "zdriver"` into {file}')


def _blocked(plan: Plan, snippet: str) -> None:
    """Say what could not be written. Raises Unavailable."""
    for change in plan.blocked():
        note(line(change))
    if snippet and any(change.kind == "config" for change in plan.blocked()):
        if not settings().json:
            click.echo(snippet)
        raise Unavailable(
            f"{plan.blocked()[-1].path} is read-only",
            hint="put these lines into the nodes of the same name: zdriver setup zellij --print",
        )
    first = plan.blocked()[0]
    raise Unavailable(
        f"{first.path} is read-only", hint="take out by hand what names zdriver, or make it writable"
    )
