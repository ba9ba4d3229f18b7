"""A forked child becomes the command: the caller's descriptors, folder, environment and signals.

Everything that Python took from its surroundings when it started is taken again from the caller's.
"""

from __future__ import annotations

import atexit
import gc
import io
import locale
import os
import signal
import socket
import sys
import time
from importlib import import_module
from typing import NoReturn, TextIO

from zdriver.core import caller, limits, platform

_SETTABLE = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}


class Refused(Exception):
    """This process cannot be what the caller is; nothing was begun."""


def run_for(sock: socket.socket, request: bytes, fds: list[int]) -> NoReturn:
    """Run the command that the caller at the other end of `sock` asks for, tell it how that ended, and end.

    request  the fields, with NUL between them: umask in octal, ignored and blocked signals in hexadecimal,
             number of arguments, arguments, environment as KEY=VALUE
    fds      for 0, 1, 2 and the working directory
    """
    code = 1
    try:
        try:
            code = become(request.split(b"\0"), fds, platform.peer(sock).pid)
            sock.send(b"x%d\n" % code)
        except Refused:
            sock.send(b"no\n")
    finally:  # also where nobody listens any more
        os._exit(code)


def become(fields: list[bytes], fds: list[int], pid: int) -> int:
    """Run the command line that a caller sent; its exit code.

    fields, fds: as `run_for` has them
    pid     of the caller, whose resource limits are taken, and who counts as the one that asks;
            0 when it is not known

    Raises Refused.
    """
    try:
        limits.take(limits.of(pid))
    except OSError as error:
        raise Refused from error
    caller.stand_in_for(pid)
    os.setpgid(0, 0)  # so that signals reach the command and its children, and SIGTSTP stops it
    _take_descriptors(fds)
    umask, ignored, blocked, count, *words = fields
    os.umask(int(umask, 8))
    _take_environment(words[int(count) :])
    _take_signals(_signals(ignored), _signals(blocked))
    gc.enable()
    sys.argv = [os.fsdecode(argument) for argument in words[: int(count)]]
    sys.stdin, sys.stdout, sys.stderr = _streams()
    return _run()


def _take_descriptors(fds: list[int]) -> None:
    *standard, folder = fds
    for number, fd in enumerate(standard):
        os.dup2(fd, number, inheritable=True)
    os.fchdir(folder)
    for fd in fds:
        os.close(fd)


def _take_environment(pairs: list[bytes]) -> None:
    os.environ.clear()
    for pair in pairs:
        key, equals, value = pair.partition(b"=")
        if key and equals:
            os.environb[key] = value
    time.tzset()


def _signals(mask: bytes) -> set[int]:
    """Bit N stands for signal N."""
    bits = int(mask, 16)
    return {number for number in _SETTABLE if bits >> number & 1}


def _take_signals(ignored: set[int], blocked: set[int]) -> None:
    """As Python has them when it starts under `nohup`, as a script's `&`, or under neither.

    `ignored` is what the caller's Python ignores: with what every Python does (SIGPIPE, SIGXFSZ).
    """
    for number in _SETTABLE:
        signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
    if signal.SIGINT not in ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _streams() -> tuple[TextIO, TextIO, TextIO]:
    try:
        name = locale.setlocale(locale.LC_CTYPE, "")
    except locale.Error:  # it is not installed, and then it is C
        name = "C"
    # PEP 538 and 540: C and what stands for it let bytes through that are no text
    errors = "surrogateescape" if name in ("C", "POSIX", "C.UTF-8", "C.utf8", "UTF-8") else "strict"
    return (
        _stream(0, "<stdin>", errors),
        _stream(1, "<stdout>", errors),
        _stream(2, "<stderr>", "backslashreplace"),
    )


def _stream(fd: int, name: str, errors: str) -> TextIO:
    """Like Python's own: UTF-8 (callers of another encoding run in place), by lines on a terminal."""
    mode = "rb" if fd == 0 else "wb"
    raw = io.FileIO(fd, mode, closefd=False)
    raw.name = name
    buffer = io.BufferedReader(raw) if fd == 0 else io.BufferedWriter(raw)
    by_lines = fd == 2 or (fd == 1 and os.isatty(1))
    return io.TextIOWrapper(buffer, encoding="utf-8", errors=errors, line_buffering=by_lines)


def _run() -> int:
    try:
        code = int(import_module("zdriver.cli.main").run(sys.argv[1:]))
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else 1 if ending.code else 0
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 141
    return code & 0xFF
