"""`zdriver claim NAME --hold -- COMMAND`: a claim that lasts as long as a command runs.

The command runs on the caller's terminal, in its process group: what is typed there (Ctrl-C,
Ctrl-Z) reaches it by itself. Signals sent to this process are relayed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from zdriver.claims.holding import Held
from zdriver.cli.claim import waiting
from zdriver.cli.output import hush, settings, show_error
from zdriver.cli.services import services
from zdriver.core import caller
from zdriver.core.dying import with_parent
from zdriver.core.errors import Conflict, NotFound, ZdriverError

#: Our own failure, and what a shell says of a command that cannot be run (as timeout(1) does).
FAILED, NOT_RUN, NOT_FOUND = 125, 126, 127
#: Seconds between SIGTERM and SIGKILL for a command whose claim was lost.
GRACE = 10.0
_TYPED = (signal.SIGINT, signal.SIGQUIT)
_RELAYED = (*_TYPED, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCONT)


def run(
    name: str, command: tuple[str, ...], *, agent: str, lease: float, wait: float, force: str | None
) -> int:
    """The exit code. Raises Conflict when another holds it: nothing was run."""
    child = _Child()
    agent = agent or caller.agent()
    try:
        with services(doing="waiting for the claim") as driver:
            claims = driver.claims
            session = os.environ.get("ZELLIJ_SESSION_NAME", "")
            holding = claims.hold(
                name, lease=lease, wait=wait, agent=agent, session=session, force=force or "",
                lost=child.end, waiting=waiting,
            )  # fmt: skip
            with contextlib.ExitStack() as stack:
                stack.enter_context(child.signals())
                held = stack.enter_context(holding)
                hush()
                return child.run(command, held)
    except Conflict as error:
        if not child.began:
            raise
        return _failed(error)
    except (ZdriverError, OSError) as error:
        return _failed(error if isinstance(error, ZdriverError) else ZdriverError(str(error)))


def _failed(error: ZdriverError) -> int:
    show_error(error, json=settings().json)
    return FAILED


class _Child:
    """The command, and the signals that are meant for it."""

    def __init__(self) -> None:
        self.began = False
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = False
        self._ended = threading.Event()
        self._early: list[int] = []

    def run(self, command: tuple[str, ...], held: Held) -> int:
        """Its exit code, 128+n for a signal. Raises NotFound for a folder that is gone."""
        environment = {
            **os.environ,
            "ZDRIVER_CLAIM_TOKEN": str(held.token),
            "ZDRIVER_AGENT": held.claim.agent,
            "ZDRIVER_WORKTREE": held.claim.worktree,
            "PWD": held.claim.path,
        }
        if not os.path.isdir(held.claim.path):  # noqa: PTH112 the path is text, as git gave it
            raise NotFound(f"{held.claim.path} is gone", hint="`zdriver worktree repair` settles it")
        held.check()
        self._starting = True  # from here on a signal is for the command, also while it is not there yet
        try:
            # Killed with SIGKILL, this process can tell nobody: the system ends the command for it.
            self._process = process = subprocess.Popen(
                command,
                cwd=held.claim.path,
                env=environment,
                preexec_fn=with_parent(signal.SIGTERM),
            )
        except OSError as error:
            missing = isinstance(error, FileNotFoundError)
            show_error(NotFound(f"{command[0]} cannot be run: {error.strerror}"), json=settings().json)
            return NOT_FOUND if missing else NOT_RUN
        self.began = True
        if held.lost is not None:  # while it was started
            self.end(held.lost)
        for number in self._early:
            process.send_signal(number)
        code = process.wait()
        self._ended.set()
        held.check()  # raises: what was done last was not protected
        return 128 - code if code < 0 else code

    def end(self, _why: ZdriverError) -> None:
        """Its claim is lost: it must not go on. Called in the beating thread."""
        process = self._process
        if process is None or self._ended.is_set():
            return
        process.terminate()
        process.send_signal(signal.SIGCONT)  # a stopped one hears it as well
        threading.Thread(target=self._kill_late, args=(process,), daemon=True).start()

    def _kill_late(self, process: subprocess.Popen[bytes]) -> None:
        if not self._ended.wait(GRACE):
            process.kill()

    @contextmanager
    def signals(self) -> Iterator[None]:
        before = {}
        for number in _RELAYED:
            if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` leaves it
                before[number] = signal.signal(number, self._relay)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _relay(self, number: int, _frame: FrameType | None) -> None:
        process = self._process
        if process is None and self._starting:
            self._early.append(number)
        elif process is None:
            if number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # nothing is run yet
                raise click.Abort if number == signal.SIGINT else SystemExit(128 + number)
        elif number not in _TYPED or not _in_foreground():
            process.send_signal(number)


def _in_foreground() -> bool:
    """Whether what is typed on the terminal reaches the command without us."""
    try:
        with open("/dev/tty", "rb") as terminal:  # noqa: PTH123 a device
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
