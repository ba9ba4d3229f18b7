"""`zdriver snapshot`: generations of a Zellij session's tabs and panes."""

from __future__ import annotations

import shlex

import click

from zdriver.cli.options import (
    GENERATION,
    GIVEN,
    GIVEN_PATH,
    ONE_GENERATION,
    complete_generations,
    context_option,
    examples,
    json_option,
)
from zdriver.cli.output import (
    age,
    answer,
    bold,
    dim,
    green,
    home_relative,
    note,
    plural,
    printable,
    red,
    table,
)
from zdriver.cli.services import absolute, place, services
from zdriver.context.layout import Pane, leaves
from zdriver.context.model import SnapshotContent, SnapshotInfo


@click.group(
    epilog=examples("zdriver snapshot list", "zdriver snapshot show 42", "zdriver snapshot diff 41 42")
)
@json_option
def snapshot() -> None:
    """List, show, compare and take snapshots.

    One is taken by itself whenever tabs or panes change; GEN is its number, and 0 the newest.
    """


@snapshot.command(
    "list", epilog=examples("zdriver snapshot list", "zdriver snapshot list --root . --limit 5")
)
@click.option("--session", metavar="NAME", type=GIVEN, help="Only those of this Zellij session.")
@click.option("--root", metavar="PATH", type=GIVEN_PATH, help="Only those of this folder.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@json_option
def list_(session: str | None, root: str | None, limit: int) -> None:
    """List them, newest first."""
    below = absolute(root, "--root") if root else ""
    with services() as driver:
        found = driver.snapshot.list(zellij_session=session or "", root=below, limit=limit)
    answer(found, lambda: table([_row(info) for info in found]))
    if not found:
        none, filtered = "no snapshots yet; `zdriver setup zellij` once, then open Zellij", session or root
        note("nothing found" if filtered else none)


@snapshot.command(epilog=examples("zdriver snapshot show", "zdriver snapshot show 42 --json"))
@click.argument("gen", type=GENERATION, default=0, shell_complete=complete_generations)
@json_option
def show(gen: int) -> None:
    """Show the tabs and panes of one."""
    with services() as driver:
        found = driver.snapshot.show(gen)
    answer(found, lambda: _shown(found))


@snapshot.command(
    epilog=examples("zdriver snapshot diff 41 42", "zdriver snapshot diff 41        with the newest")
)
@click.argument("a", type=ONE_GENERATION, shell_complete=complete_generations)
@click.argument("b", type=GENERATION, default=0, shell_complete=complete_generations)
@json_option
def diff(a: int, b: int) -> None:
    """Compare two, pane by pane."""
    from difflib import unified_diff

    with services() as driver:
        old, new = driver.snapshot.show(a), driver.snapshot.show(b)
    lines = list(unified_diff(_lines(old), _lines(new), _title(old.info), _title(new.info), lineterm="", n=1))
    changed = {
        "from": old.info.generation,
        "to": new.info.generation,
        "removed": [line[1:] for line in lines[2:] if line.startswith("-")],
        "added": [line[1:] for line in lines[2:] if line.startswith("+")],
    }
    answer(changed, lambda: "\n".join(map(_coloured, lines)))
    if not lines:
        note("no difference")


@snapshot.command(epilog=examples("zdriver snapshot save --pin        before something risky"))
@click.option("--pin", is_flag=True, help="Keep it for good: thinning passes it by.")
@context_option
@json_option
def save(pin: bool) -> None:
    """Take one now."""
    with services() as driver:
        info = driver.snapshot.save(place=place(), pin=pin)
    answer(info, lambda: f"{green('✓')} snapshot {info.generation}: {_size(info)}")


@snapshot.command(epilog=examples("zdriver snapshot pin 42", "zdriver snapshot pin 42 --off"))
@click.argument("gen", type=ONE_GENERATION, shell_complete=complete_generations)
@click.option("--off", is_flag=True, help="Let it be thinned again.")
@json_option
def pin(gen: int, off: bool) -> None:
    """Keep one for good."""
    with services() as driver:
        info = driver.snapshot.pin(gen, pinned=not off)
    kept = "is kept for good" if info.pinned else "may be thinned"
    answer(info, lambda: f"{green('✓')} snapshot {info.generation} {kept}")


def _row(of: SnapshotInfo) -> tuple[str, ...]:
    return (
        bold(str(of.generation)),
        printable(of.zellij_session),
        _size(of),
        dim(home_relative(of.root)),
        dim(of.reason),
        dim(age(of.taken_at)),
        "pinned" if of.pinned else "",
    )


def _size(of: SnapshotInfo) -> str:
    return f"{plural(of.tabs, 'tab')}, {plural(of.panes, 'pane')}"


def _title(of: SnapshotInfo) -> str:
    return f"snapshot {of.generation}, {printable(of.zellij_session)}"


def _shown(content: SnapshotContent) -> str:
    info = content.info
    head = "  ".join([bold(_title(info)), dim(age(info.taken_at)), dim(home_relative(info.root))])
    return "\n".join([head, *_lines(content)])


def _lines(content: SnapshotContent) -> list[str]:
    """One line a tab and one a pane, which is also what `diff` compares."""
    found = []
    for position, tab in enumerate(content.layout.tabs, 1):
        found.append(f"tab {position}: {printable(tab.name)}")
        found += [f"    {_pane(pane)}" for pane in leaves(tab.tiled)]
        found += [f"    {_pane(pane)} (floating)" for pane in tab.floating]
    return found


def _pane(pane: Pane) -> str:
    if pane.plugin is not None:
        return f"[{printable(pane.plugin.location)}]"
    what = printable(shlex.join(pane.command)) if pane.command else "shell"
    name = f"{printable(pane.name)}: " if pane.name else ""
    return f"{name}{what}  in {home_relative(pane.cwd)}"


def _coloured(line: str) -> str:
    if line.startswith(("---", "+++")):
        return bold(line)
    if line.startswith("-"):
        return red(line)
    return green(line) if line.startswith("+") else dim(line)
