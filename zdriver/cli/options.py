"""Options that commands share, and the completion of ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from zdriver.cli.completing import completing
from zdriver.cli.output import Settings

if TYPE_CHECKING:
    from zdriver.library import Driver

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


def complete_files(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """The shell does it: for an option that takes a path among other things."""
    return [CompletionItem(incomplete, type="file")]


def _contexts(driver: Driver) -> Iterator[tuple[str, str]]:
    from zdriver.core.ids import short

    for each in driver.context.contexts():
        yield short(each.id), f"{each.root} {each.zellij_session}".strip()


def _entries(driver: Driver) -> Iterator[tuple[str, str]]:
    from zdriver.core.ids import short

    for each in driver.context.history(limit=50):
        yield short(each.id), f"{each.type}: {each.text[:50]}"


def _generations(driver: Driver) -> Iterator[tuple[str, str]]:
    for each in driver.snapshot.list(limit=50):
        yield str(each.generation), f"{each.zellij_session}: {each.tabs} tabs, {each.panes} panes"


def _worktrees(driver: Driver) -> Iterator[tuple[str, str]]:
    for line in driver.worktrees.list(conditions=False):
        yield line.worktree.name, line.worktree.branch


complete_contexts = completing(_contexts)
complete_entries = completing(_entries)
complete_generations = completing(_generations)
#: Of this repository; by a part of the name where none begins so.
complete_worktrees = completing(_worktrees, or_else=lambda name, typed: typed.casefold() in name.casefold())


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
