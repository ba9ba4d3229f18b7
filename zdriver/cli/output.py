"""What a command prints: one JSON envelope a line, or words for a person.

    {"v":1,"ok":true,"data":…}
    {"v":1,"ok":false,"error":{"code":"not_found","message":"…","hint":"…"}}

Answers go to stdout, everything else to stderr. Nothing here asks or waits.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import click
import msgspec

from zdriver.core.errors import ZdriverError
from zdriver.core.runtime import home_folder

#: Not printable to Python, and harmless: they join (emoji, Indic) and keep apart (Persian) letters.
_JOINERS = frozenset("\u200c\u200d")

#: Seconds after which a command says on a terminal what it is waiting for.
PROGRESS_AFTER = 1.0


class Settings(msgspec.Struct):
    """What the options that every command has were set to."""

    json: bool = False
    context: str = ""


def settings() -> Settings:
    context = click.get_current_context(silent=True)  # none while a shell completes
    return context.ensure_object(Settings) if context else Settings()


def envelope(data: object) -> str:
    return msgspec.json.encode({"v": 1, "ok": True, "data": data}).decode()


def error_envelope(error: ZdriverError) -> str:
    fields = {"code": error.code, "message": error.message, "hint": error.hint}
    return msgspec.json.encode({"v": 1, "ok": False, "error": fields}).decode()


def answer(data: object, words: Callable[[], str]) -> None:
    """Print `data` as JSON if `--json` was given, else what `words` makes (nothing when empty).

    Raises BrokenPipeError, and ZdriverError when stdout takes nothing.
    """
    text = envelope(data) if settings().json else words()
    if not text:
        return
    try:
        click.echo(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ZdriverError(
            f"the answer cannot be written: {error.strerror}", hint="all but that was done"
        ) from error


def note(text: str) -> None:
    """A remark beside the answer: on stderr, and silent with `--json`."""
    if not settings().json:
        click.echo(text, err=True)


def show_error(error: ZdriverError, *, json: bool) -> None:
    if json:
        click.echo(error_envelope(error))
        return
    click.echo(f"{red('error:')} {printable(error.message)}", err=True)
    if error.hint:
        click.echo(f"{dim('hint:')}  {printable(error.hint)}", err=True)


def wants_colour() -> bool | None:
    """NO_COLOR and FORCE_COLOR when set to something; None lets the terminal decide."""
    if os.environ.get("NO_COLOR"):
        return False
    return True if os.environ.get("FORCE_COLOR") else None


def on_terminal() -> bool:
    """Whether a person can be asked: stdin and stderr are a terminal and `--json` is off."""
    return not settings().json and sys.stdin.isatty() and sys.stderr.isatty()


def confirm(question: str, *, default: bool = False) -> None:
    """Ask on the terminal. Raises Exit (1) for no, Abort for Ctrl-C.

    Not within `progress`: who thinks about a question is not waiting for us.
    """
    if not click.confirm(question, default=default, err=True):
        note("nothing was changed")
        raise click.exceptions.Exit(1)


#: What would say that something takes long; of the blocks that are under way.
_timers: list[threading.Timer] = []


def hush() -> None:
    """Say nothing more of waiting in the blocks under way: a person is asked, or a program runs."""
    for timer in _timers:
        timer.cancel()


@contextmanager
def progress(doing: str) -> Iterator[None]:
    """Say `doing` on stderr if the block takes longer than a second and a person is watching."""
    if settings().json or not sys.stderr.isatty():
        yield
        return
    timer = threading.Timer(PROGRESS_AFTER, lambda: click.echo(dim(f"{doing} …"), err=True))
    timer.daemon = True
    timer.start()
    _timers.append(timer)
    try:
        yield
    finally:
        _timers.remove(timer)
        timer.cancel()


# -- words ---------------------------------------------------------------------------------


def dim(text: str) -> str:
    return click.style(text, dim=True)


def bold(text: str) -> str:
    return click.style(text, bold=True)


def red(text: str) -> str:
    return click.style(text, fg="red")


def green(text: str) -> str:
    return click.style(text, fg="green")


def yellow(text: str) -> str:
    return click.style(text, fg="yellow")


def printable(text: str) -> str:
    """Stored text made harmless for a terminal, on one line: control characters are shown, not sent."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _JOINERS else _visible(c) for c in text)


def _visible(char: str) -> str:
    if char == "\t":
        return "    "
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def plural(count: int, noun: str) -> str:
    """1 pane, 2 panes."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def home_relative(path: str) -> str:
    """`/home/me/code` as `~/code`."""
    home = home_folder()
    if home in ("", "/"):
        return printable(path)
    if path == home:
        return "~"
    return printable("~" + path[len(home) :] if path.startswith(home + "/") else path)


def age(moment: datetime, now: datetime | None = None) -> str:
    """How long ago, in at most 11 characters: "just now", "5 min ago", "3 d ago", "2026-05-01"."""
    seconds = int(((now or datetime.now(UTC)) - moment).total_seconds())
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60} min ago"
    if seconds < 86_400:
        return f"{seconds // 3600} h ago"
    if seconds < 30 * 86_400:
        return f"{seconds // 86_400} d ago"
    return moment.astimezone().strftime("%Y-%m-%d")


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Left-aligned columns, two spaces apart; widths count cells and ignore styling."""
    if not rows:
        return ""
    widths = [max(width(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def width(text: str) -> int:
    """Cells that it takes on a terminal."""
    from unicodedata import combining, east_asian_width

    plain = click.unstyle(text)
    return sum(0 if combining(c) or c in _JOINERS else 2 if east_asian_width(c) in "WF" else 1 for c in plain)
