"""`zdriver setup`: into Zellij, and out again."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from zdriver.cli.options import examples, json_option
from zdriver.cli.output import (
    answer,
    bold,
    confirm,
    dim,
    green,
    home_relative,
    note,
    on_terminal,
    red,
    settings,
    yellow,
)
from zdriver.core.errors import InvalidInput, Unavailable
from zdriver.zellij import permissions
from zdriver.zellij import setup as steps
from zdriver.zellij.setup import Change, Done, Plan


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One file, as `--json` shows it."""

    kind: str
    path: str
    action: str
    blocked: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    changed: bool
    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    backup: str | None


WORDS = {
    "config": "Zellij's configuration",
    "permissions": "Zellij's list of granted permissions",
    "plugin": "the plugin",
    "layout": "a layout",
}


@click.group(epilog=examples("zdriver setup zellij --dry-run", "zdriver setup zellij", "zdriver setup undo"))
@json_option
def setup() -> None:
    """Put zdriver into Zellij, or take it out."""


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
        _preview(plan, "with zdriver")
        return
    if plan.open() and not yes:
        _ask("Set up Zellij like this?", plan, _introduce)
    done = steps.carry_out(lambda: steps.plan_install(at), datetime.now(UTC))
    _report(
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
    """Take zdriver out of Zellij again; your history stays."""
    at = steps.where(own_command())
    plan = steps.plan_undo(at)
    if dry_run:
        _preview(plan, "without zdriver")
        return
    if plan.open() and not yes:
        _ask("Take zdriver out of Zellij?", plan, lambda _plan: None)
    done = steps.carry_out(lambda: steps.plan_undo(at), datetime.now(UTC))
    _report(
        done,
        "zdriver is out of Zellij; open sessions keep it until they end",
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


def _ask(question: str, plan: Plan, introduce: Callable[[Plan], None]) -> None:
    if not on_terminal():
        raise InvalidInput(
            "this changes your files and there is no terminal to ask on",
            hint="add --yes, or look first with --dry-run",
        )
    introduce(plan)
    for change in plan.changes:
        click.echo(_line(change), err=True)
    confirm(question, default=True)


def _introduce(plan: Plan) -> None:
    for line in _grants(plan):
        click.echo(line, err=True)
    click.echo(bold("These files are concerned:"), err=True)


def _grants(plan: Plan) -> list[str]:
    """What is granted to the plugin, and why; nothing when the plan grants nothing."""
    if not any(c.kind == "permissions" and c.action in ("create", "change") for c in plan.open()):
        return []
    asked = [f"  {permission.name:<29} {dim(permission.why)}" for permission in permissions.needed()]
    return [bold("The plugin is granted these permissions of Zellij:"), *asked]


def _preview(plan: Plan, outcome: str) -> None:
    """`outcome` names config.kdl as it will be."""
    lines = [*map(_line, plan.changes), *_grants(plan), *_diff(plan, outcome)]
    answer(_outcome(plan, None, changed=False), lambda: "\n".join(lines))
    _notes(plan)


def _report(done: Done, changed: str, unchanged: str) -> None:
    did = done.plan.open()

    def words() -> str:
        lines = [_line(change) for change in did]
        if done.backup:
            lines.append(dim(f"  backup     {home_relative(str(done.backup))}"))
        if not done.plan.blocked():
            lines.append(f"{green('✓')} {changed if did else unchanged}")
        return "\n".join(lines)

    if not (settings().json and done.plan.blocked()):  # then the error is the one answer
        answer(_outcome(done.plan, done.backup, changed=bool(did)), words)
    _notes(done.plan)


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
        note(_line(change))
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


def _outcome(plan: Plan, backup: Path | None, *, changed: bool) -> Outcome:
    return Outcome(
        changed=changed,
        steps=tuple(
            Step(kind=c.kind, path=str(c.path), action=c.action, blocked=c.blocked) for c in plan.changes
        ),
        notes=plan.notes,
        backup=str(backup) if backup else None,
    )


def _notes(plan: Plan) -> None:
    for text in plan.notes:
        note(yellow(f"! {text}"))


def _line(change: Change) -> str:
    colour = {"create": green, "change": yellow, "remove": red}.get(change.action, dim)
    blocked = red(f"  {change.blocked}") if change.blocked else ""
    path = home_relative(str(change.path))
    return f"  {colour(f'{change.action:<9}')}  {path}  {dim(WORDS[change.kind])}{blocked}"


def _diff(plan: Plan, outcome: str) -> list[str]:
    """What changes in config.kdl, as a unified diff."""
    from difflib import unified_diff

    for change in plan.changes:
        if change.kind == "config":
            before, after = ((text or b"").decode().splitlines() for text in (change.before, change.after))
            name = home_relative(str(change.path))
            return list(unified_diff(before, after, name, f"{name} ({outcome})", lineterm=""))
    return []
