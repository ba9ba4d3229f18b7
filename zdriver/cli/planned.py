"""What `zdriver setup` is about to do to files, and what it did: shown, asked about, reported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import msgspec

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
from zdriver.core.errors import InvalidInput
from zdriver.zellij import permissions
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
    "shell": "where your shell begins",
}


def ask(question: str, plan: Plan, introduce: Callable[[Plan], None] = lambda _plan: None) -> None:
    """Raises InvalidInput where nobody can be asked, Exit (1) for no."""
    if not on_terminal():
        raise InvalidInput(
            "this changes your files and there is no terminal to ask on",
            hint="add --yes, or look first with --dry-run",
        )
    introduce(plan)
    for change in plan.changes:
        click.echo(line(change), err=True)
    confirm(question, default=True)


def preview(plan: Plan, outcome: str) -> None:
    """`outcome` names the files as they will be."""
    lines = [*map(line, plan.changes), *grants(plan), *_diff(plan, outcome)]
    answer(_outcome(plan, None, changed=False), lambda: "\n".join(lines))
    _notes(plan)


def report(done: Done, changed: str, unchanged: str) -> None:
    did = done.plan.open()

    def words() -> str:
        lines = [line(change) for change in did]
        if done.backup:
            lines.append(dim(f"  backup     {home_relative(str(done.backup))}"))
        if not done.plan.blocked():
            lines.append(f"{green('✓')} {changed if did else unchanged}")
        return "\n".join(lines)

    if not (settings().json and done.plan.blocked()):  # then the error is the one answer
        answer(_outcome(done.plan, done.backup, changed=bool(did)), words)
    _notes(done.plan)


def grants(plan: Plan) -> list[str]:
    """What is granted to the plugin, and why; nothing when the plan grants nothing."""
    if not any(c.kind == "permissions" and c.action in ("create", "change") for c in plan.open()):
        return []
    asked = [f"  {permission.name:<29} {dim(permission.why)}" for permission in permissions.needed()]
    return [bold("The plugin is granted these permissions of Zellij:"), *asked]


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


def line(change: Change) -> str:
    colour = {"create": green, "change": yellow, "remove": red}.get(change.action, dim)
    blocked = red(f"  {change.blocked}") if change.blocked else ""
    path = home_relative(str(change.path))
    return f"  {colour(f'{change.action:<9}')}  {path}  {dim(WORDS[change.kind])}{blocked}"


def _diff(plan: Plan, outcome: str) -> list[str]:
    """What changes in the files that a person writes, as unified diffs."""
    from difflib import unified_diff

    found: list[str] = []
    for change in plan.changes:
        if change.kind in ("config", "shell"):
            before, after = (
                (text or b"").decode(errors="replace").splitlines() for text in (change.before, change.after)
            )
            name = home_relative(str(change.path))
            found += unified_diff(before, after, name, f"{name} ({outcome})", lineterm="")
    return found
