"""What a child process says until it has ended, without a pause anywhere.

`Popen.communicate(timeout=…)` sleeps for some milliseconds at a time while a child that has closed its
outputs is about to end: for git that is every call. Here one poll(2) hears of outputs and end alike.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from typing import IO

from zdriver.core.platform import PidfdWatch

_CHUNK = 1 << 16
#: Seconds between two looks, where the system does not tell of a child's end.
_LOOK = 0.005
_SAYS, _HEARS = select.POLLIN | select.POLLHUP, select.POLLOUT | select.POLLERR


def converse(
    process: subprocess.Popen[bytes], stdin: bytes = b"", *, timeout: float, linger: float
) -> tuple[bytes, bytes]:
    """All that it says on its two pipes, once it has ended; it is reaped then.

    timeout  seconds it may take
    linger   seconds that a pipe is waited for which something that it left running has open

    Raises subprocess.TimeoutExpired, with what it said, for one that runs on. What pipes there are
    stays open, but for its input.
    """
    with _Conversation(process, stdin) as talk:
        return talk.until_over(timeout, linger)


class _Conversation:
    def __init__(self, process: subprocess.Popen[bytes], stdin: bytes) -> None:
        self._process = process
        self._said: dict[int, list[bytes]] = {}
        self._order = [self._listen(pipe) for pipe in (process.stdout, process.stderr)]
        self._poll = select.poll()
        for fd in self._said:
            self._poll.register(fd, _SAYS)
        self._open = set(self._said)
        self._left = memoryview(stdin)
        self._input = -1
        if process.stdin is not None:
            self._input = process.stdin.fileno()
            os.set_blocking(self._input, False)
            self._poll.register(self._input, _HEARS)
        self._watch = _watched(process)
        if self._watch is not None:
            self._poll.register(self._watch.fileno(), select.POLLIN)

    def _listen(self, pipe: IO[bytes] | None) -> int:
        if pipe is None:
            return -1
        self._said[pipe.fileno()] = []
        return pipe.fileno()

    def __enter__(self) -> _Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        if self._watch is not None:
            self._watch.close()

    def until_over(self, timeout: float, linger: float) -> tuple[bytes, bytes]:
        end = time.monotonic() + timeout
        ended = False
        while self._open or not ended:
            left = end - time.monotonic()
            # Once more when the time is over: this process may have been kept from looking meanwhile.
            over = left <= 0
            if self._watch is None and not ended:
                left = min(left, _LOOK)
            told = self._poll.poll(0 if over else max(1, int(left * 1000)))
            if not ended and self._has_ended(told):
                ended, over = True, False
                end = time.monotonic() + linger
            for fd, _ in told:
                if fd in self._open:
                    self._hear(fd)
                elif fd == self._input:
                    self._tell()
            if over and ended:
                break
            if over:
                raise subprocess.TimeoutExpired(self._process.args, timeout, *self._texts())
        return self._texts()

    def _has_ended(self, told: list[tuple[int, int]]) -> bool:
        if self._watch is not None:
            if not any(fd == self._watch.fileno() for fd, _ in told):
                return False
            self._poll.unregister(self._watch.fileno())
            self._process.wait()
            return True
        return self._process.poll() is not None

    def _hear(self, fd: int) -> None:
        data = os.read(fd, _CHUNK)
        if data:
            self._said[fd].append(data)
        else:
            self._poll.unregister(fd)
            self._open.discard(fd)

    def _tell(self) -> None:
        try:
            if self._left:
                self._left = self._left[os.write(self._input, self._left) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # it reads no more; its end says why
            self._left = memoryview(b"")
        if not self._left:
            self._poll.unregister(self._input)
            self._input = -1
            assert self._process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()

    def _texts(self) -> tuple[bytes, bytes]:
        out, err = (b"".join(self._said.get(fd, ())) for fd in self._order)
        return out, err


def _watched(process: subprocess.Popen[bytes]) -> PidfdWatch | None:
    """None: the system does not tell of ends."""
    if not hasattr(os, "pidfd_open"):
        return None
    with contextlib.suppress(OSError):  # an old kernel, or a sandbox, refuses
        return PidfdWatch(process.pid)
    return None
