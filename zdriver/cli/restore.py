"""`zdriver restore`: a snapshot's tabs and panes, back in this Zellij session."""

from __future__ import annotations

import shlex

import click

from zdriver.cli.options import GENERATION, complete_generations, context_option, examples, json_option
from zdriver.cli.output import (
    answer,
    confirm,
    dim,
    green,
    home_relative,
    note,
    on_terminal,
    plural,
    printable,
    red,
    table,
    yellow,
)
from zdriver.cli.services import place, services
from zdriver.context.model import PanePlan, RestorePlan, RestoreReport, UndoReport
from zdriver.core.errors import InvalidInput


@click.command(
    epilog=examples(
        "zdriver restore --dry-run               what would come back, and how",
        "zdriver restore                         the newest snapshot, as new tabs",
        "zdriver restore 42 --replace            instead of what is open now",
        "zdriver restore --undo                  close what the last restore opened",
    )
)
@click.argument("gen", type=GENERATION, default=0, shell_complete=complete_generations)
@click.option("--dry-run", "-n", is_flag=True, help="Only show the plan.")
@click.option("--replace", is_flag=True, help="Close the panes that are open now, after a snapshot of them.")
@click.option("--undo", is_flag=True, help="Close the idle panes that the last restore opened.")
@click.option("--yes", "-y", is_flag=True, help="With --replace: do not ask.")
@context_option
@json_option
def restore(gen: int, dry_run: bool, replace: bool, undo: bool, yes: bool) -> None:
    """Bring a snapshot's tabs and panes back.

    GEN is a number from `zdriver snapshot list`; without it the newest good one of this
    folder is taken. It opens new tabs and closes nothing, unless --replace is given.
    """
    if undo and (gen or dry_run or replace):
        raise InvalidInput("--undo takes nothing else", hint="give it alone")
    if undo:
        _undo()
    elif dry_run:
        _plan(gen)
    else:
        _apply(gen, replace=replace, yes=yes)


def _plan(gen: int) -> None:
    with services() as driver:
        plan = driver.restore.plan(gen, place=place())
    answer(plan, lambda: _planned(plan))


def _apply(gen: int, *, replace: bool, yes: bool) -> None:
    if replace and not yes:
        if not on_terminal():
            raise InvalidInput("--replace closes panes and there is no terminal to ask on", hint="add --yes")
        if place().zellij_session:  # else there is nothing to ask about, as the answer below says
            with services() as driver:
                plan = driver.restore.plan(gen, place=place())
            click.echo(_planned(plan), err=True)
            confirm("Close all panes of this Zellij session and restore these instead?")
    with services(doing="restoring panes") as driver:
        report = driver.restore.apply(gen, place=place(), replace=replace)
    answer(report, lambda: _reported(report))
    if report.restored and not report.failed:
        note(dim("undo: zdriver restore --undo"))
    if report.failed:
        raise click.exceptions.Exit(1)


def _undo() -> None:
    with services(doing="closing panes") as driver:
        report = driver.restore.undo(place=place())
    answer(report, lambda: _undone(report))


def _planned(plan: RestorePlan) -> str:
    what = f"snapshot {plan.generation} of" if plan.generation else "left on another machine:"
    head = f"{what} {printable(plan.zellij_session)}"
    return "\n".join([head, table([_row(pane) for pane in plan.panes])])


def _row(pane: PanePlan) -> tuple[str, ...]:
    what = printable(shlex.join(pane.command)) if pane.command else "shell"
    action = {"run": green, "resume": green, "suspended": yellow, "skip": red}.get(pane.action, dim)(
        pane.action
    )
    tab = printable(pane.tab) or f"tab {pane.tab_index + 1}"
    return tab, printable(pane.name), action, what, dim(home_relative(pane.cwd)), dim(printable(pane.reason))


def _reported(report: RestoreReport) -> str:
    mark = yellow("!") if report.failed else green("✓")
    there = sum(pane.action == "keep" for pane in report.panes)
    made = len(report.panes) - there
    verb = "is" if made == 1 else "are"
    said = [f"{report.restored} of {plural(made, 'pane')} {verb} back"] if made else []
    said += [f"{plural(there, 'pane')} left alone, of tabs that are here already"] if there else []
    lines = [f"{mark} snapshot {report.generation}: {'; '.join(said)}"]
    lines += [
        f"  {red('failed')} {printable(f.tab)} · {printable(f.name)}: {printable(f.reason)}"
        for f in report.failed
    ]
    if report.before:
        lines.append(f"  what was open before is snapshot {report.before}")
    return "\n".join(lines)


def _undone(report: UndoReport) -> str:
    kept = [f"  {yellow('kept')} {printable(pane)}" for pane in report.kept]
    return "\n".join([f"{green('✓')} {plural(report.closed, 'pane')} closed", *kept])
