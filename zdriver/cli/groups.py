"""A click group that imports a command's module only when that command is asked for.

`zdriver --help` needs no module at all: the short help stands in the table, and a test
compares it with the command's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click
import msgspec


class Entry(msgspec.Struct, frozen=True):
    """Where a command lives: `zdriver.cli.MODULE`, attribute ATTR."""

    name: str
    module: str
    attr: str
    help: str
    hidden: bool = False


Sections = tuple[tuple[str, tuple[Entry, ...]], ...]


class LazyGroup(click.Group):
    def __init__(self, *args: Any, sections: Sections = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        self._entries = {entry.name: entry for _, entries in sections for entry in entries}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, entry in self._entries.items() if not entry.hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self._entries.get(cmd_name)
        if entry is None:
            return None
        if cmd_name not in self.commands:
            command = getattr(import_module(f"zdriver.cli.{entry.module}"), entry.attr)
            if not isinstance(command, click.Command):
                raise TypeError(f"zdriver.cli.{entry.module}.{entry.attr} is not a command")
            self.commands[cmd_name] = command
        return self.commands[cmd_name]

    def preload(self) -> Sequence[click.Command]:
        """Import every command's module: what the fork server does once, before it forks."""
        context = click.Context(self)
        return [command for name in self._entries if (command := self.get_command(context, name))]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, entries in self.sections:
            rows = [(entry.name, entry.help) for entry in entries if not entry.hidden]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
