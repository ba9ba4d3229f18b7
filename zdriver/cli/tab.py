"""`--tab`: a worktree in a tab of its own, for commands that find or make one inside Zellij."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from zdriver.cli.output import note, printable
from zdriver.cli.services import services
from zdriver.core.errors import InvalidInput

F = TypeVar("F", bound=Callable[..., Any])


def _inside_zellij(ctx: click.Context, _param: click.Parameter, value: bool) -> bool:
    # Said before the command does anything: a worktree without its tab is half of what was asked for.
    if value and not ctx.resilient_parsing and not os.environ.get("ZELLIJ_SESSION_NAME"):
        raise InvalidInput(
            "--tab opens a tab of Zellij, and this shell is in none", hint="leave it out, or open `zellij`"
        )
    return value


def tab_option(command: F) -> F:
    """`--tab`, the parameter `tab: bool`. Outside of Zellij it ends the command with exit code 2."""
    return click.option(
        "--tab",
        is_flag=True,
        callback=_inside_zellij,
        help="In Zellij: go to its tab, or open one for it.",
    )(command)


def open_tab(path: str, name: str) -> None:
    """Go to the tab of this Zellij session that stands in the worktree at `path`, or open one there.

    The shell that asks stays where it is. Raises Unavailable where no plugin is connected, NotFound
    where the layout to open is not there.
    """
    from zdriver.daemon.attaching import Opened

    with services(doing="waiting for Zellij to open the tab") as driver:
        opened = driver.call(
            "bridge.open_tab",
            Opened,
            zellij_session=os.environ.get("ZELLIJ_SESSION_NAME", ""),
            path=path,
            name=name,
        )
    note(f"{'opened' if opened.made else 'went to'} tab {opened.position + 1}: {printable(opened.tab)}")
