"""Who asks the fork server to run a command: what has come of its request."""

from __future__ import annotations

import array
import contextlib
import os
import socket
import time

HEADER = 9  #: bytes: b"0000002a\n"
REQUEST_MAX = 8 << 20  #: bytes; Linux allows 2 MiB of arguments and environment by default
DESCRIPTORS = 4
REQUEST_TIMEOUT = 5.0  #: seconds from the connection to the end of the request


class Caller:
    """One connection: first its request is read, then its child runs."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.request = bytearray()
        self.fds: list[int] = []
        self.pid = 0
        self.hung_up = False
        self.deadline: float | None = time.monotonic() + REQUEST_TIMEOUT

    def read_request(self) -> bool:
        """Take what has come; whether the request is whole. Raises OSError, ValueError, EOFError."""
        room = socket.CMSG_SPACE(DESCRIPTORS * array.array("i").itemsize)
        data, ancillary, flags, _ = self.sock.recvmsg(1 << 18, room)
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds = array.array("i")
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
                self.fds += fds
        if not data:
            raise EOFError
        if flags & socket.MSG_CTRUNC:
            raise ValueError("too many descriptors")
        self.request += data
        if len(self.request) < HEADER:
            return False
        size = int(self.request[: HEADER - 1], 16)
        if not 0 < size <= REQUEST_MAX or len(self.request) > HEADER + size:
            raise ValueError("too long a request")
        return len(self.request) == HEADER + size

    def body(self) -> bytes:
        return bytes(self.request[HEADER:])

    def say(self, text: bytes) -> None:
        with contextlib.suppress(OSError):
            self.sock.send(text)

    def forget_request(self) -> None:
        for fd in self.fds:
            os.close(fd)
        self.fds = []
        self.request = bytearray()
