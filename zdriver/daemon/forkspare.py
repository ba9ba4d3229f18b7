"""A child of the fork server that waits for the next command, warmed up.

Forking takes a millisecond, and what a fresh child looks at is copied page by page, which takes several
(`zdriver.cli.rehearsal`): a spare has both behind it. It costs memory of its own, so there is one, and only
for a while after a command.

    server → spare   one message: the request's fields; beside it the caller's socket, the descriptors
                     0, 1, 2 and the working directory
    spare → server   b"r" when it is ready

It ends when the server's end is closed.
"""

from __future__ import annotations

import array
import contextlib
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NoReturn

from zdriver.daemon.forkchild import run_for

log = logging.getLogger(__name__)

#: Seconds after the last command.
LIFE = 30.0
#: Bytes of a request; a longer one is for a child of its own (a message may not be longer than a
#: socket's buffer, 208 KiB by default).
REQUEST_MAX = 1 << 16
_DESCRIPTORS = 5


class Spare:
    """The server's end."""

    def __init__(self, pid: int, sock: socket.socket) -> None:
        self.pid = pid
        self.deadline = time.monotonic() + LIFE
        self._sock = sock
        self._ready = False

    def hand(self, caller: socket.socket, request: bytes, fds: Sequence[int]) -> bool:
        """Let it run that; False: it is not ready, or gone, and nothing was begun."""
        if len(request) > REQUEST_MAX:
            return False
        try:
            if not self._is_ready():
                return False
            beside = array.array("i", (caller.fileno(), *fds))
            self._sock.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, beside)])
        except OSError:
            return False
        return True

    def _is_ready(self) -> bool:
        if not self._ready:
            with contextlib.suppress(BlockingIOError):
                self._ready = self._sock.recv(1, socket.MSG_DONTWAIT) == b"r"
        return self._ready

    def close(self) -> None:
        """One that was handed nothing ends."""
        self._sock.close()


def fork(closing: Callable[[], None]) -> Spare:
    """closing: called in the child, lets go of what is the server's. Raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        raise
    if pid == 0:
        _be(ours, theirs, closing)
    theirs.close()
    return Spare(pid, ours)


def _be(server: socket.socket, sock: socket.socket, closing: Callable[[], None]) -> NoReturn:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        server.close()
        closing()
        _warm_up()
        sock.send(b"r")
        request, fds = _request(sock)
        sock.close()
        if request:
            os.set_inheritable(fds[0], False)  # what the command starts must not hold it open
            run_for(socket.socket(fileno=fds[0]), request, fds[1:])
        code = 0
    except OSError:  # the server has ended
        code = 0
    except Exception:  # a defect of ours: it is said, and the next command has a child of its own
        log.exception("a spare child of the fork server")
    finally:
        os._exit(code)


def _request(sock: socket.socket) -> tuple[bytes, list[int]]:
    room = socket.CMSG_SPACE(_DESCRIPTORS * array.array("i").itemsize)
    request, ancillary, _, _ = sock.recvmsg(REQUEST_MAX, room)
    fds = array.array("i")
    for _, _, content in ancillary:
        fds.frombytes(content)
    return request, list(fds)


def _warm_up() -> None:
    # By name: the commands are above the daemon, which only hands them on.
    try:
        import_module("zdriver.cli.rehearsal").rehearse()
    except Exception:  # the command itself fails where it is given, and says so
        log.exception("rehearsing the commands")
    gc.freeze()
