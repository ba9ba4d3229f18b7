"""How commands reach the services: over the daemon's socket, started if need be."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from zdriver.cli.output import note, printable, progress, settings, yellow
from zdriver.core.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from zdriver.context.model import Place
    from zdriver.library import Driver

#: Characters read of a text on stdin: far more than any text may have.
STDIN_MAX = 1_000_000
#: Seconds to wait for an answer.
TIMEOUT = 30.0


@contextmanager
def services(
    *,
    start: bool = True,
    doing: str = "waiting for the zdriver daemon",
    timeout: float = TIMEOUT,
    tell: bool = True,
) -> Iterator[Driver]:
    """The daemon's services; `doing` is said on a terminal when the block takes long.

    start    start the daemon if it is not running; else calls raise Unavailable
    timeout  seconds per call
    tell     show what the daemon has to say: that it recovered a damaged store
    """
    from zdriver.library import connect
    from zdriver.rpc.protocol import CLI

    # It is said once: not to who completes a word or reads JSON, and shows it to nobody.
    tell = tell and click.get_current_context(silent=True) is not None and not settings().json
    client = CLI if tell else "quiet"
    with progress(doing), connect(start=start, timeout=timeout, client=client) as driver:
        try:
            yield driver
        finally:
            for notice in driver.notices():
                note(yellow(f"! {printable(notice)}"))


def place() -> Place:
    """Where the command was given, with `--context` in it."""
    import msgspec

    from zdriver.context.model import Place
    from zdriver.library import here

    if not settings().context:
        return here()
    try:
        return msgspec.structs.replace(here(), context=settings().context)
    except Unavailable:  # a deleted folder does not matter when the context is named
        return Place(context=settings().context)


def absolute(path: str, option: str) -> str:
    """The whole path of what `option` was given. Raises Unavailable in a folder that is gone."""
    from pathlib import Path

    try:
        return str(Path(path).absolute())
    except OSError as error:
        raise Unavailable("the current folder was deleted", hint=f"give {option} a whole path") from error


def given_text(words: tuple[str, ...]) -> str:
    """TEXT words joined by spaces; a lone `-` reads stdin. Raises InvalidInput."""
    text = (sys.stdin.read(STDIN_MAX + 1) if words == ("-",) else " ".join(words)).strip()
    if len(text) > STDIN_MAX:
        much = f"the text has more than {STDIN_MAX:,} characters"
        raise InvalidInput(much, hint="say it in a sentence; 10,000 are allowed")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("the text is not valid UTF-8", hint="convert it with iconv first") from error
    return text
