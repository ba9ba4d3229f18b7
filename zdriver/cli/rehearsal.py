"""Everyday commands, gone through up to where they would do something.

A child of the fork server shares its memory until one of them writes to it, and Python writes to
whatever it looks at (it counts references). A child that has rehearsed has its own copies by then: the
command that it becomes does not wait for some hundred of them to be made.
"""

from __future__ import annotations

import contextlib

import click

from zdriver.cli.main import cli
from zdriver.core.errors import ZdriverError
from zdriver.library import greet

#: As typed. What commands have in common is nearly all of it: more lines copy little more memory.
_LINES = (("intent", "x"), ("worktree", "list"))
#: Seconds that the daemon has to greet us.
_PATIENCE = 1.0


def rehearse() -> None:
    """Parse (without callbacks that answer or end), and say hello to the daemon that is there.

    Nothing is asked of it, printed or kept.
    """
    for words in _LINES:
        _parse(list(words))
    with contextlib.suppress(ZdriverError):  # it is about to end, perhaps
        greet(_PATIENCE)


def _parse(words: list[str]) -> None:
    command: click.Command | None = cli
    context: click.Context | None = None
    name = "zdriver"
    while command is not None:
        context = command.make_context(name, list(words), parent=context, resilient_parsing=True)
        if not isinstance(command, click.Group):
            return
        with context:
            name, *words = words
            command = command.get_command(context, name)
