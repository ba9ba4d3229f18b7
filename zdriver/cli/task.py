"""`zdriver task`: what agents are to do, and who is at it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
import msgspec

from zdriver.cli.completing import completing
from zdriver.cli.options import GIVEN, examples, json_option
from zdriver.cli.output import age, answer, bold, dim, note, plural, printable, table
from zdriver.cli.services import services
from zdriver.core.ids import short
from zdriver.tasks.model import State, Task

if TYPE_CHECKING:
    from zdriver.library import Driver

STATES = ("queued", "taken", "done")
_MARKS = {"queued": "·", "taken": "▶", "done": "✓"}


def _known(driver: Driver) -> Iterator[tuple[str, str]]:
    for each in driver.tasks.list(limit=50):
        yield short(each.id), f"{each.state}: {each.title[:50]}"


@click.group(
    epilog=examples(
        "zdriver task list --state queued",
        "zdriver task show 3f2a91bc",
    )
)
@json_option
def task() -> None:
    """See what was assigned to agents, and who is at it.

    With events.url set, each event task.assigned that another program sends becomes a task here.
    """


@task.command(
    "list",
    epilog=examples(
        "zdriver task list                   the newest first",
        "zdriver task list --state queued    what nobody has taken",
    ),
)
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many."
)
@json_option
def list_(state: State | None, limit: int) -> None:
    """List tasks, newest first: · queued, ▶ taken, ✓ done."""
    with services() as driver:
        found = driver.tasks.list(state=state, limit=limit)
    answer(found, lambda: table([_row(each) for each in found]))
    if not found:
        note(f"no task is {state}" if state else "no tasks yet")


@task.command("show", epilog=examples("zdriver task show 3f2a91bc     the end of its id does"))
@click.argument("id_", metavar="ID", type=GIVEN, shell_complete=completing(_known))
@json_option
def show(id_: str) -> None:
    """Show one task, with all that came with it."""
    with services() as driver:
        found = driver.tasks.show(id_)
    answer(found, lambda: _words(found))


def _row(of: Task) -> tuple[str, ...]:
    who = of.holder or of.agent
    where = " ".join(printable(each) for each in (of.repo, of.worktree) if each)
    return _MARKS[of.state], bold(printable(of.title)), printable(who), where, age(of.added_at), short(of.id)


def _words(of: Task) -> str:
    rows = [
        ("id", of.id),
        ("state", _state(of)),
        ("for", printable(of.agent) or "whoever takes it"),
        ("from", f"{printable(of.origin)}, {age(of.added_at)}"),
        ("repo", printable(of.repo)),
        ("worktree", printable(of.worktree)),
    ]
    told = {"title", "text", "description", "repo", "worktree", "agent", "assignee"}
    more = {key: value for key, value in of.payload.items() if key not in told}
    rows += [(printable(key), printable(_plain(value))) for key, value in more.items()]
    head = f"{bold(printable(of.title))}\n{table([(f'  {dim(name)}', text) for name, text in rows if text])}"
    body = "\n".join(f"  {printable(line)}" for line in of.text.splitlines())
    return f"{head}\n\n{body}" if body.strip() else head


def _state(of: Task) -> str:
    turns = f", taken {plural(of.attempts, 'time')}" if of.attempts > 1 else ""
    if of.state == "taken" and of.expires_at is not None:
        until = of.expires_at.astimezone().strftime("%Y-%m-%d %H:%M")
        return f"taken by {printable(of.holder)} until {until}{turns}"
    if of.state == "done" and of.done_at is not None:
        return f"done by {printable(of.holder)} {age(of.done_at)}{turns}"
    return f"{of.state}{turns}"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
