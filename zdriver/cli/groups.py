"""A click group that imports a command's module only when that command is asked for.

`zdriver --help` needs no module at all: the short help stands in the table, and a test
compares it with the command's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    label: str = ""  #: what the help of the group shows instead of the name
    folded: bool = False  #: it is told on the line of another, by that one's label


#: What to make of a word that no command is called: a command, or None.
Fallback = Callable[[click.Context, str], click.Command | None]
Sections = tuple[tuple[str, tuple[Entry, ...]], ...]


class LazyGroup(click.Group):
    def __init__(
        self, *args: Any, sections: Sections = (), fallback: Fallback | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections
        self._fallback = fallback
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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if word not in self._entries and not ctx.resilient_parsing and not word.startswith("-"):
            other = self._fallback(ctx, word) if self._fallback is not None else None
            if other is not None:
                return word, other, args[1:]
            raise click.UsageError(_unknown(word, self.list_commands(ctx)), ctx)
        return super().resolve_command(ctx, args)

    def preload(self) -> Sequence[click.Command]:
        """Import every command's module: what the fork server does once, before it forks."""
        context = click.Context(self)
        found = [command for name in self._entries if (command := self.get_command(context, name))]
        for command in found:
            if isinstance(command, LazyGroup):
                command.preload()
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, entries in self.sections:
            rows = [
                (entry.label or entry.name, entry.help)
                for entry in entries
                if not entry.hidden and not entry.folded
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _unknown(word: str, names: Sequence[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, names, n=1)
    return f"there is no command {word!r}" + (f"; did you mean {close[0]}?" if close else "")
