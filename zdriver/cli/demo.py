"""`zdriver demo`: see it work, in a throw-away home."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from zdriver.cli.options import examples, json_option
from zdriver.cli.output import answer, green, red, settings
from zdriver.core.errors import Unavailable, ZdriverError

if TYPE_CHECKING:
    from zdriver.demo.story import Outcome

#: The series of Zellij that the plugin is built for.
SERIES = "0.45."


@click.command(epilog=examples("zdriver demo"))
@click.option("--without-plugin", is_flag=True, hidden=True, help="Control: Zellij does not load the plugin.")
@click.option(
    "--lose-database", is_flag=True, hidden=True, help="Control: delete the database after the kill."
)
@json_option
def demo(without_plugin: bool, lose_database: bool) -> None:
    """Watch a killed Zellij come back.

    A real Zellij is opened in a throw-away home, filled with tabs, panes, an intent and
    milestones, killed with SIGKILL and opened again. What is there then is compared, pane
    by pane, with what was. Your own Zellij and your own data are not touched.
    """
    from zdriver.demo.stage import Stage
    from zdriver.demo.story import Story
    from zdriver.testing import Home, TimedOut

    say = (lambda _line: None) if settings().json else click.echo
    with Home(zellij=_zellij()) as home:
        stage = Stage(home)
        try:
            outcome = Story(stage, say, plugin=not without_plugin, keep_database=not lose_database).play()
        except TimedOut as problem:
            raise ZdriverError(f"the demo got stuck: {problem}") from problem
        finally:
            stage.close()
    say("")
    for line in _verdicts(outcome):
        say(line)
    if outcome.differences:
        names = ", ".join(dict.fromkeys(difference.pane for difference in outcome.differences))
        raise ZdriverError(f"not as it was: {names}", hint="zdriver doctor checks what may be missing")
    count = len(outcome.pairs)
    answer(
        outcome,
        lambda: (
            f"{green('✓')} all {count} panes are back: tab, place, name, focus, folder and command; "
            f"the server is another ({outcome.server_before} → {outcome.server_after})"
        ),
    )


def _verdicts(outcome: Outcome) -> Iterator[str]:
    """A line for each pane, and below it what is not as it was."""
    from zdriver.demo.compare import label

    for pair in outcome.pairs:
        mark = red("✗") if pair.differences else green("✓")
        yield f"  {mark} {label(pair.before)}: {' '.join(pair.before.argv)}"
    for difference in outcome.differences:
        yield f"    {red('✗')} {difference}"


def _zellij() -> str:
    """Path of a Zellij that the plugin fits. Raises Unavailable."""
    found = shutil.which("zellij")
    if found is None:
        raise Unavailable(
            "zellij is not on PATH", hint=f"install Zellij {SERIES}x: cargo install --locked zellij"
        )
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if not re.match(rf"zellij {re.escape(SERIES)}", said):
        raise Unavailable(f"{found} is {said or 'not Zellij'}", hint=f"the demo needs Zellij {SERIES}x")
    return found
