"""Running a hook: in the caller's process, on its terminal, with its environment.

The hook stays in the caller's process group, as system(3) has it: the terminal's keys reach it as
they reach any command, Ctrl-Z stops both and `fg` carries both on. Only the answer to a key differs:
Ctrl-C and Ctrl-\\ end the hook, and its caller goes on to say so.

What it prints goes to stderr: stdout is for the answer of the command that runs it. It reads from
a terminal only, for a pipe's next line may be meant for the caller.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from types import FrameType

import msgspec

from zdriver.core.caller import REPOSITORY_VARIABLES
from zdriver.core.errors import Unavailable
from zdriver.hooks.model import HookRun

SHELL = "/bin/sh"

#: What the terminal's keys send to the whole group: the hook's matter.
_KEYS = (signal.SIGINT, signal.SIGQUIT)
#: What ends the caller: its hook must not be left behind.
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)
#: Of the caller's environment, what means its own repository or its own shell function.
_DROPPED = REPOSITORY_VARIABLES | {"ZDRIVER_CD_FILE", "ZDRIVER_PREVIOUS", "ZDRIVER_TEST_KILL"}


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How a hook ended: with its last command, or with the first that failed."""

    command: str
    code: int  #: 128 and the signal's number when a signal ended it, as a shell has it: 130 after Ctrl-C


def run(hook: HookRun) -> Ended:
    """Run its commands one after another until one fails.

    Only in the main thread: it minds signals. Raises Unavailable when it cannot be started.
    """
    environ = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    environ |= {**hook.environment, "PWD": hook.cwd}
    for command in hook.commands:
        if code := _run(command, hook, environ):
            return Ended(command=command, code=code)
    return Ended(command=hook.commands[-1], code=0)


def _run(command: str, hook: HookRun, environ: dict[str, str]) -> int:
    try:
        argv = [SHELL, "-c", command]
        return foreground(argv, cwd=hook.cwd, environ=environ, stdin=_stdin(), stdout=_stderr())
    except OSError as error:
        raise Unavailable(
            f"the hook {hook.hook} cannot be started in {hook.cwd}: {error.strerror}",
            hint="is that folder there?",
        ) from error


def foreground(
    argv: list[str],
    *,
    cwd: str,
    environ: dict[str, str],
    stdin: int | None = None,
    stdout: int | None = None,
) -> int:
    """Run a program on the caller's terminal; its exit code, 128+n for a signal.

    stdin, stdout: None for the caller's own, else as subprocess takes them.
    Only in the main thread: it minds signals. Raises OSError when it cannot be started.
    """
    with _minding() as (running, ending):
        # Not under `with`: on an exception that would wait for the program a second time.
        child = subprocess.Popen(argv, cwd=cwd, env=environ, stdin=stdin, stdout=stdout)
        running.append(child)
        if ending:  # it came before there was a child to tell
            child.send_signal(ending[0])
        code = child.wait()
    if ending:  # now die of it, as whoever sent it expects
        signal.raise_signal(ending[0])
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _minding() -> Iterator[tuple[list[subprocess.Popen[bytes]], list[int]]]:
    """The children to pass on what ends us, and what came. Handlers, for the hook would inherit SIG_IGN."""
    running: list[subprocess.Popen[bytes]] = []
    ending: list[int] = []

    def leave(_number: int, _frame: FrameType | None) -> None:
        pass

    def pass_on(number: int, _frame: FrameType | None) -> None:
        ending.append(number)
        for child in running:
            child.send_signal(number)

    before = {}
    for number in (*_KEYS, *_ENDINGS):
        if signal.getsignal(number) is not signal.SIG_IGN:  # under nohup, so is the hook
            before[number] = signal.signal(number, leave if number in _KEYS else pass_on)
    try:
        yield running, ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stdin() -> int | None:
    return None if os.isatty(0) else subprocess.DEVNULL


def _stderr() -> int:
    try:
        os.fstat(2)
    except OSError:  # the caller was started without one
        return subprocess.DEVNULL
    return 2
