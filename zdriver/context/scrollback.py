"""What panes show, as it is kept when `capture.scrollback_lines` asks for it: text rules. Pure.

mark(id), marked(contents)              how a captured layout names a pane's text
may_have_changed(read_at, written_at)   whether a terminal is worth reading again
keep(text, lines, widths) -> Packed     the last lines, secrets out, in chunks to store
shown_again(text) -> str                as bytes that a terminal shows the same way
"""

from __future__ import annotations

import re
from collections.abc import Collection

from zdriver.context.contents import Packed, pack_scrollback
from zdriver.core.redact import redact_blocks, redact_text

#: Linux changes a terminal's mtime at most once in each of these spans (`tty_update_time`).
WRITTEN_SPAN = 8  #: seconds

#: Lines redacted at a time: the patterns hold the interpreter, and others wait (about 2 ms).
_SLICE = 64
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def mark(terminal: int) -> str:
    """`Pane.contents` of a captured terminal pane, until the store puts the key of its text there."""
    return f"terminal_{terminal}"


def may_have_changed(read_at: float, written_at: int) -> bool:
    """Whether something may have been printed since `read_at` (seconds since the epoch).

    written_at   the terminal's mtime: the first output of a span of 8 s; later output in the
                 same span leaves no trace
    """
    return (written_at // WRITTEN_SPAN + 1) * WRITTEN_SPAN > read_at


def keep(text: str, lines: int, widths: Collection[int] = ()) -> Packed:
    """The last `lines` lines of what a pane shows, ready to be stored; nothing: `Packed("")`.

    widths   columns that the pane may have: where the scrollback ends and the screen begins,
             Zellij breaks a line that it had wrapped, and a secret in it with it
    """
    # Cut first: what is thrown away need not be looked through. A key block's head may be lost then.
    whole = redact_blocks(text).rstrip()
    last = "\n".join(whole.split("\n")[-lines:])
    clean = redact_screen(last, widths)
    return pack_scrollback(clean + "\n") if clean.strip() else Packed("", {})


def redact_screen(text: str, widths: Collection[int] = ()) -> str:
    """`redact_text` in small pieces: a line and the one before it are looked at together."""
    lines = redact_blocks(text).split("\n")
    done: list[str] = []
    for start in range(0, len(lines), _SLICE):
        first = max(0, start - 1)
        found = redact_text("\n".join(lines[first : start + _SLICE]))[0].split("\n")
        if first < start:
            over, *found = found
            if over != lines[first]:
                done[-1] = over
        done += found
    return "\n".join(_unwrapped(lines, done, widths))


def _unwrapped(lines: list[str], done: list[str], widths: Collection[int]) -> list[str]:
    """`done`, with full lines joined to the next where only together they show a secret."""
    kept: list[str] = []
    at = 0
    while at < len(lines):
        whole = lines[at]
        if at + 1 < len(lines) and whole and any(len(whole) % width == 0 for width in widths if width > 0):
            joined = redact_text(whole + lines[at + 1])[0]
            if joined != whole + lines[at + 1] and joined != done[at] + done[at + 1]:
                kept.append(joined)
                at += 2
                continue
        kept.append(done[at])
        at += 1
    return kept


def shown_again(text: str) -> str:
    """For a pane's `contents_file`, which Zellij feeds to the terminal as it is."""
    lines = _CONTROL.sub("", text).rstrip("\n").split("\n")
    return "\r\n".join(lines)
