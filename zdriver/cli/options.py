"""Options that commands share, and the completion of ids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from zdriver.cli.output import Settings
from zdriver.core.errors import ZdriverError

F = TypeVar("F", bound=Callable[..., Any])


class _Generation(click.types.IntParamType):
    """The number of a snapshot; 0, where that is allowed, means the newest."""

    name = "generation"

    def __init__(self, least: int) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(value)
        except ValueError:
            self.fail(
                f"{value!r} is not the number of a snapshot; `zdriver snapshot list` shows them.", param, ctx
            )
        if not self._least <= number < 2**63:
            self.fail(f"there is no snapshot {number}; `zdriver snapshot list` shows them.", param, ctx)
        return number


#: GEN, and GEN where the newest cannot be meant.
GENERATION, ONE_GENERATION = _Generation(0), _Generation(1)


class _Token(click.types.IntParamType):
    """The fencing token of a claim."""

    name = "token"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number = super().convert(value, param, ctx)
        if not 0 < number < 2**63:
            self.fail(f"there is no token {number}; `zdriver claims` shows yours.", param, ctx)
        return int(number)


class _Given(click.types.StringParamType):
    """A text that is not empty: `--context "$UNSET"` must not mean something else."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not str(value).strip():
            self.fail("it is empty; leave the option out, or say what you mean.", param, ctx)
        return str(value)


class _GivenPath(_Given):
    """The same for a path, which the shell completes."""

    name = "path"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        return [CompletionItem(incomplete, type="file")]


GIVEN, GIVEN_PATH = _Given(), _GivenPath()


def _set_json(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(Settings).json = True


def _set_context(ctx: click.Context, _param: click.Parameter, value: str) -> None:
    if value:
        ctx.ensure_object(Settings).context = value


def json_option(command: F) -> F:
    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=_set_json,
        help="Print one JSON envelope instead of words.",
    )(command)


def context_option(command: F) -> F:
    return click.option(
        "--context",
        metavar="ID",
        type=GIVEN,
        expose_value=False,
        callback=_set_context,
        shell_complete=complete_contexts,
        help="Mean this context (id or its end), not the folder's.",
    )(command)


def _quietly(find: Callable[[], list[CompletionItem[str]]]) -> list[CompletionItem[str]]:
    """Completion never prints an error: a shell would show it inside the user's line."""
    try:
        return find()
    except (ZdriverError, OSError):
        return []


def complete_files(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """The shell does it: for an option that takes a path among other things."""
    return [CompletionItem(incomplete, type="file")]


def complete_contexts(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    from zdriver.cli.services import services
    from zdriver.core.ids import short

    def find() -> list[CompletionItem[str]]:
        with services(start=False) as driver:
            found = driver.context.contexts()
        return [
            CompletionItem(short(c.id), help=f"{c.root} {c.zellij_session}".strip())
            for c in found
            if short(c.id).startswith(incomplete)
        ]

    return _quietly(find)


def complete_entries(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    from zdriver.cli.services import services
    from zdriver.core.ids import short

    def find() -> list[CompletionItem[str]]:
        with services(start=False) as driver:
            found = driver.context.history(limit=50)
        return [
            CompletionItem(short(e.id), help=f"{e.type}: {e.text[:50]}")
            for e in found
            if short(e.id).startswith(incomplete)
        ]

    return _quietly(find)


def complete_generations(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    from zdriver.cli.services import services

    def find() -> list[CompletionItem[str]]:
        with services(start=False) as driver:
            found = driver.snapshot.list(limit=50)
        return [
            CompletionItem(str(s.generation), help=f"{s.zellij_session}: {s.tabs} tabs, {s.panes} panes")
            for s in found
            if str(s.generation).startswith(incomplete)
        ]

    return _quietly(find)


def complete_worktrees(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """Names of this repository's worktrees; by a part of the name where none begins so."""
    from zdriver.cli.services import services

    def find() -> list[CompletionItem[str]]:
        with services(start=False) as driver:
            found = [line.worktree for line in driver.worktrees.list(conditions=False)]
        begun = [each for each in found if each.name.startswith(incomplete)]
        within = [each for each in found if incomplete.casefold() in each.name.casefold()]
        return [CompletionItem(each.name, help=each.branch) for each in begun or within]

    return _quietly(find)


def _or_none(_ctx: click.Context, _param: click.Parameter, value: int | None) -> int:
    return value or 0


def token_option(command: F) -> F:
    """`--token`, the parameter `token: int`; 0 when it is not given."""
    return click.option(
        "--token", metavar="N", type=_Token(), callback=_or_none, help="Of your claim on it."
    )(command)


def examples(*lines: str) -> str:
    """An epilog that shows how a command is used; click keeps its lines as they are."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
