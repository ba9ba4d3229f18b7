"""`zdriver go`: into another worktree."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from zdriver.cli import travel
from zdriver.cli.options import complete_worktrees, examples, json_option
from zdriver.cli.output import answer, dim, note, on_terminal, printable, settings
from zdriver.cli.services import services
from zdriver.cli.tab import open_tab, tab_option
from zdriver.core import caller
from zdriver.core.errors import Ambiguous, InvalidInput, NotFound, Unavailable, ZdriverError
from zdriver.worktrees import rules

if TYPE_CHECKING:
    from zdriver.library import Driver
    from zdriver.worktrees.model import Worktree

#: Candidates that an error names.
_NAMED = 8


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    words = (CompletionItem("-", help="where you came from"),)
    return [each for each in words if incomplete and each.value.startswith(incomplete)] + complete_worktrees(
        ctx, param, incomplete
    )


@click.command(
    epilog=examples(
        "zdriver go                          choose from a list: type to filter, arrows, Enter",
        "zdriver go auth                     the worktree whose name fits best",
        "zdriver go -                        where this shell came from; `trunk`: the main checkout",
        'zdriver go auth --exec "make test"  run that there',
    )
)
@click.argument("query", nargs=-1, shell_complete=_complete)
@travel.exec_option
@click.option("--print", "print_", is_flag=True, help="Only print its path.")
@tab_option
@json_option
def go(query: tuple[str, ...], exec_: str, print_: bool, tab: bool) -> None:
    """Go to another worktree of this repository.

    QUERY is a name, a part of one, or letters of it in order. To change your shell's directory
    it needs `zdriver setup shell`; without that the path is printed.
    """
    if sum((bool(exec_), print_, tab)) > 1:
        raise InvalidInput("--exec, --print and --tab do not go together", hint="give one of them")
    chosen = _found(" ".join(query).strip(), given=bool(query))
    with contextlib.suppress(ZdriverError), services() as driver:  # with a full disk one still gets there
        chosen = driver.worktrees.used(cwd=chosen.path)
    if settings().json:
        answer(chosen, str)
    if print_:
        if not settings().json:
            travel.show(chosen.path)
        return
    if tab:
        open_tab(chosen.path, chosen.name)
        return
    code = travel.go_to(chosen.path, run=exec_)
    if code is not None:
        raise click.exceptions.Exit(code)


def _found(query: str, *, given: bool) -> Worktree:
    """Raises NotFound, Ambiguous; InvalidInput without a query where nobody can be asked."""
    if given and not query:
        raise InvalidInput("the name is empty", hint="leave it out to choose from a list")
    where = _where()
    with services() as driver:
        if query == "-":
            return _previous(driver, where)
        found = driver.worktrees.find(query, cwd=where)
        if not found:
            known = driver.worktrees.find("", cwd=where)
            raise rules.unknown(query, known)
    best = rules.equally_good(query, found) if query else found
    if query and len(best) == 1:
        if best[0].name != query:
            note(dim(f"→ {printable(best[0].name)}"))
        return best[0]
    if on_terminal():
        return _picked(best)
    names = ", ".join(printable(each.name) for each in best[:_NAMED]) + (" …" if len(best) > _NAMED else "")
    if query:
        raise Ambiguous(f"{query!r} can be {names}", hint="give the whole name")
    raise InvalidInput("a worktree must be named where there is no terminal", hint=f"there are {names}")


def _picked(found: tuple[Worktree, ...]) -> Worktree:
    from zdriver.cli.picker import pick

    here = os.path.realpath(_where())

    def line(of: Worktree) -> tuple[str, str]:
        beside = [] if of.branch in ("", of.name) else [of.branch]
        beside += ["you are here"] if _within(here, of.path) else []
        return of.name, ", ".join(beside)

    chosen = pick(lambda typed: rules.ranked(typed, found) if typed else found, line, what="worktree")
    if chosen is None:
        raise click.Abort
    return chosen


def _previous(driver: Driver, where: str) -> Worktree:
    """Where the shell's function says that it came from, else where its last `cd` did."""
    here = os.path.realpath(where)
    for folder in (travel.previous(), os.environ.get("OLDPWD", "")):
        if not os.path.isdir(folder):  # noqa: PTH112 a path is text, as the shell gave it
            continue
        try:
            (found,) = driver.worktrees.find("-", cwd=where, previous=folder)
        except NotFound:  # a folder outside of every repository
            continue
        if not _within(here, found.path):
            return found
    raise NotFound("there is no worktree that this shell came from", hint="name one: zdriver go NAME")


def _within(folder: str, top: str) -> bool:
    return f"{folder}/".startswith(f"{top}/")


def _where() -> str:
    """The current folder; where that was deleted, what is left of its path."""
    try:
        return caller.cwd()
    except Unavailable:
        folder = os.environ.get("PWD", "")
        while folder.startswith("/") and not os.path.isdir(folder):  # noqa: PTH112 as text
            folder = os.path.dirname(folder)  # noqa: PTH120 as text
        if folder in ("", "/"):
            raise
        return folder
