"""`zdriver intent`: what this context is for."""

from __future__ import annotations

import sys

import click

from zdriver.cli.options import context_option, examples, json_option
from zdriver.cli.output import age, answer, dim, green, home_relative, note, printable
from zdriver.cli.services import given_text, place, services
from zdriver.context.model import Intent
from zdriver.core.errors import InvalidInput


@click.command(
    epilog=examples(
        "zdriver intent                          show it",
        'zdriver intent "Refactor database layer"',
        "git log -1 --format=%s | zdriver intent -",
        "zdriver intent --edit                   write it in your editor",
        "zdriver intent --clear                  done; it stays in the history",
    )
)
@click.argument("text", nargs=-1)
@click.option("--clear", is_flag=True, help="Close the current intent; it stays in the history.")
@click.option("--edit", is_flag=True, help="Write the text in $VISUAL or $EDITOR.")
@context_option
@json_option
def intent(text: tuple[str, ...], clear: bool, edit: bool) -> None:
    """Set or show what you are working on.

    Without TEXT the current intent is shown. TEXT words are joined; `-` reads stdin.
    """
    if clear + edit + bool(text) > 1:
        raise InvalidInput("TEXT, --clear and --edit exclude each other", hint="give one of them")
    if clear:
        _clear()
    elif edit:
        _edit()
    elif text:
        _set(given_text(text))
    else:
        _show()


def _show() -> None:
    with services() as driver:
        current = driver.context.intent(place=place())
    answer(current, lambda: _shown(current) if current else "")
    if current is None:
        note('no intent here yet; set one: zdriver intent "what you are working on"')


def _set(text: str) -> None:
    with services() as driver:
        new = driver.context.set_intent(text, place=place())
    answer(new, lambda: f"{green('✓')} intent: {printable(new.text)}  {_where(new)}")


def _clear() -> None:
    with services() as driver:
        closed = driver.context.clear_intent(place=place())
    answer(closed, lambda: f"{green('✓')} closed: {printable(closed.text)}" if closed else "")
    if closed is None:
        note("no intent here; nothing to clear")


def _edit() -> None:
    from zdriver.cli.editor import edit_text, need_terminal

    need_terminal("give the text as arguments, or on stdin with `-`")
    with services() as driver:
        current = driver.context.intent(place=place())
    text = edit_text(current.text if current else "")
    if text and not (current and text == current.text):
        _set(text)
        return
    note("nothing changed")
    answer(current, lambda: "")


def _shown(current: Intent) -> str:
    # The bare text, so that "$(zdriver intent)" is usable; the rest only for a person.
    text = printable(current.text)
    if sys.stdout.isatty():
        return f"{text}\n{dim(f'set {age(current.set_at)}')}  {_where(current)}"
    return text


def _where(of: Intent) -> str:
    session = f" in {printable(of.context.zellij_session)}" if of.context.zellij_session else ""
    return dim(f"{home_relative(of.context.root)}{session}")
