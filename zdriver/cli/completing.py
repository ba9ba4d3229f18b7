"""What the shell completes: words that the running daemon knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from zdriver.core.errors import ZdriverError

if TYPE_CHECKING:
    from zdriver.library import Driver

#: What can stand there: (word, what is said of it).
Choices = Callable[["Driver"], Iterable[tuple[str, str]]]
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]
#: Whether a word is meant by what was typed.
Fits = Callable[[str, str], bool]


def completing(choices: Choices, *, or_else: Fits | None = None) -> Complete:
    """Those that begin with what was typed, as `shell_complete` wants it; else those that fit otherwise.

    Never an error, which a shell would show inside the user's line; nor is a daemon started for it.
    """

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        from zdriver.cli.services import services

        try:
            with services(start=False) as driver:
                found = list(choices(driver))
        except (ZdriverError, OSError):
            return []
        chosen = [each for each in found if each[0].startswith(incomplete)]
        if not chosen and or_else is not None:
            chosen = [each for each in found if or_else(each[0], incomplete)]
        return [CompletionItem(word, help=about) for word, about in chosen]

    return complete
