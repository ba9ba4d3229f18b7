"""Running a hook: in the caller's process, on its terminal, with its environment.

The hook stays in the caller's process group, as system(3) has it: the terminal's keys reach it as
they reach any command, Ctrl-Z stops both and `fg` carries both on. Only the answer to a key differs:
Ctrl-C and Ctrl-\\ end the hook, and its caller goes on to say so.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from types import FrameType

from zdriver.core.caller import REPOSITORY_VARIABLES
from zdriver.core.errors import Unavailable
from zdriver.hooks.model import HookRun

SHELL = "/bin/sh"

#: What the terminal's keys send to the whole group: the hook's matter.
_KEYS = (signal.SIGINT, signal.SIGQUIT)
#: What ends the caller: its hook must not be left behind.
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)
#: Of the caller's environment, what means its own repository or its own shell function.
_DROPPED = REPOSITORY_VARIABLES | {"ZDRIVER_CD_FILE", "ZDRIVER_TEST_KILL"}


def run(hook: HookRun) -> int:
    """Run its commands one after another until one fails; the exit code of the last one run.

    128 and the signal's number when a signal ended it, as a shell has it: 130 after Ctrl-C.
    Only in the main thread: it minds signals. Raises Unavailable when it cannot be started.
    """
    environ = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    environ |= {**hook.environment, "PWD": hook.cwd}
    for command in hook.commands:
        code = _run(command, hook, environ)
        if code:
            return code
    return 0


def _run(command: str, hook: HookRun, environ: dict[str, str]) -> int:
    with _minding() as (running, ending):
        try:
            # Not under `with`: on an exception that would wait for the hook a second time.
            child = subprocess.Popen([SHELL, "-c", command], cwd=hook.cwd, env=environ)
        except OSError as error:
            raise Unavailable(
                f"the hook {hook.hook} cannot be started in {hook.cwd}: {error.strerror}",
                hint="is that folder there?",
            ) from error
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
