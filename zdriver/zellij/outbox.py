"""What is sent down a pipe: written at once as far as the pipe takes it, the rest when poll(2) says so."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable

from zdriver.core.errors import Unavailable

WAITING_MAX = 4 << 20  #: bytes that may wait for a Zellij that does not read
_NOWHERE = -1


class Outbox:
    """Any thread sends; one thread has the pipe and sleeps in poll(2), from which `wake` rouses it.

    The pipe may be another one after a while: between two, nothing can be sent.
    """

    def __init__(self, session: Callable[[], str]) -> None:
        """`session` gives the Zellij session's name, for messages: it may be renamed."""
        self._session = session
        self._lock = threading.Lock()
        self._bytes = bytearray()
        self._pipe = _NOWHERE
        self._wake_r, self._wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    @property
    def is_open(self) -> bool:
        return self._pipe != _NOWHERE

    @property
    def waiting(self) -> int:
        """Bytes that Zellij has not taken yet."""
        return len(self._bytes)

    def send(self, data: bytes) -> None:
        """Raises Unavailable when there is no pipe, or too much waits in front of it."""
        with self._lock:
            if not self.is_open:
                raise Unavailable(f'the bridge to Zellij session "{self._session()}" is closed')
            if len(self._bytes) + len(data) > WAITING_MAX:
                raise Unavailable(f'Zellij session "{self._session()}" does not read what it is sent')
            self._bytes += data
            self._write()
            if not self._bytes:
                return
        self.wake()

    def wake(self) -> None:
        # Under the lock: once closed, that number may be another file's.
        with self._lock, contextlib.suppress(BlockingIOError):
            if self._wake_w != _NOWHERE:
                os.write(self._wake_w, b"\0")

    # ---- for the thread that has the pipe ------------------------------------------------

    def open(self, pipe: int) -> None:
        """From now on it goes down this file descriptor, which does not block."""
        with self._lock:
            self._pipe = pipe

    def shut(self) -> None:
        """That pipe ends. What waits is dropped: whoever is answered next has not asked for it."""
        with self._lock:
            self._pipe = _NOWHERE
            self._bytes.clear()

    def flush(self) -> None:
        """Write what the pipe takes now."""
        with self._lock:
            self._write()

    def _write(self) -> None:
        while self._bytes:
            try:
                written = os.write(self._pipe, self._bytes)
            except BlockingIOError:
                return
            except OSError:  # poll says so, too
                self._bytes.clear()
                return
            del self._bytes[:written]

    def fileno(self) -> int:
        """Readable after `wake`, until `awake`."""
        return self._wake_r

    def awake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake_r, 512):
                pass

    def close(self) -> None:
        """For good."""
        with self._lock:
            self._pipe = _NOWHERE
            os.close(self._wake_r)
            os.close(self._wake_w)
            self._wake_w = _NOWHERE
