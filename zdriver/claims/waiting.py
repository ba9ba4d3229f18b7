"""Who waits in a call, and the bell that wakes exactly that one."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

Woken = Literal["rung", "late", "drained", "gone"]


class Bell:
    """`wait` ends when it is rung, when time is up, or when the caller's connection ends."""

    def __init__(self) -> None:
        self._in, self._out = socket.socketpair()
        self._in.setblocking(False)

    def ring(self) -> None:
        with suppress(OSError):  # it rings already, or nobody listens any more
            self._in.send(b"\0")

    def wait(self, seconds: float, line: int = -1) -> Woken:
        """line: the descriptor of the caller's socket, -1 without one.

        "gone": the other end was closed; "drained": nothing more will be read from it.
        """
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        if line >= 0:
            # Not what it sends meanwhile: that is read when the call has been answered.
            poll.register(line, getattr(select, "POLLRDHUP", 0))
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for fd, what in poll.poll(left * 1000 + 1):
                if fd == self._out.fileno():
                    self._out.recv(64)
                    return "rung"
                if what & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
                    return "gone"
                return "drained"
        return "late"

    def close(self) -> None:
        self._in.close()
        self._out.close()


class Bells:
    """By ticket. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bells: dict[str, Bell] = {}

    @contextmanager
    def hung(self, ticket: str) -> Iterator[Bell]:
        """From before it is written that this ticket waits until its call is answered."""
        bell = Bell()
        with self._lock:
            self._bells[ticket] = bell
        try:
            yield bell
        finally:
            with self._lock:
                if self._bells.get(ticket) is bell:
                    del self._bells[ticket]
                bell.close()

    def owns(self, ticket: str, bell: Bell) -> bool:
        """False when the same place is waited for in another call by now."""
        with self._lock:
            return self._bells.get(ticket) is bell

    def ring(self, tickets: Iterable[str]) -> None:
        with self._lock:
            for ticket in tickets:
                if bell := self._bells.get(ticket):
                    bell.ring()

    def ring_all(self) -> None:
        with self._lock:
            for bell in self._bells.values():
                bell.ring()

    def has(self, ticket: str) -> bool:
        """Whether it is waited for in a call of this process."""
        with self._lock:
            return ticket in self._bells

    def __len__(self) -> int:
        with self._lock:
            return len(self._bells)
