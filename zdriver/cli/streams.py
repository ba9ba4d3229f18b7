"""The standard streams as a command may find them: closed, or refusing what is written."""

from __future__ import annotations

import contextlib
import os
import sys

_STREAMS = ((0, "stdin"), (1, "stdout"), (2, "stderr"))


def prepare() -> None:
    """Make them usable: what is closed is empty, and takes everything.

    Python leaves None for a descriptor that was closed at its start (`zdriver … >&-`). The
    descriptor itself is filled as well: else the next file or socket opened would get its number,
    and what a child prints would go there.
    """
    for number, name in _STREAMS:
        if getattr(sys, name) is None:
            fd = os.open(os.devnull, os.O_RDWR)  # the lowest one free: `number`, as a rule
            os.set_inheritable(fd, fd == number)
            setattr(sys, name, os.fdopen(fd, "r" if number == 0 else "w", encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        # A locale that cannot show a character must not end a command with a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def silence() -> None:
    """Nobody reads stdout or stderr, or they take nothing: what is still buffered must not raise at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError, ValueError):
                os.dup2(null, stream.fileno())
    os.close(null)
