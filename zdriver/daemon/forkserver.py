"""The fork server: everyday commands start fast because Python and click are there already.

A single-threaded process that has the command line imported. A caller (`zdriver.cli.fast`)
sends its arguments, environment, umask, descriptors 0 to 2 and working directory; a child is
forked that becomes the command. What is said, in this order:

    server → caller   b"zd1 BUILD\\n"; or b"no\\n": too busy
    caller → server   b"%08x\\n" and that many bytes: umask, ignored and blocked signals, number
                      of arguments, arguments and environment, with NUL between them; beside the
                      first byte the descriptors 0, 1, 2 and the working directory (SCM_RIGHTS)
    caller → server   one byte per signal to relay
    server → caller   b"x%d\\n" the exit code, b"s%d\\n" the signal that ended the child,
                      or b"no\\n": it was not begun

Resource limits are read from the caller's process. A caller of another group, or with limits
that a child of ours may not have, hears b"no\\n".
A caller that hears no greeting, or that of another build, runs the command itself. It sends
nothing before: a server that hangs must not hold its descriptors (a pipe's reader would wait),
and nothing may be done twice.
A caller that goes away takes its command along: SIGHUP, then SIGKILL. (A child says itself
how it ends, and its caller leaves then: so it gets a moment to be gone, and what it left in
the background stays.)

For a while after a command one spare child waits for the next (`zdriver.daemon.forkspare`).
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import logging
import os
import select
import signal
import socket
import subprocess
import time
from importlib import import_module
from typing import NoReturn

from zdriver.core import platform
from zdriver.core.build import build_id
from zdriver.daemon import forkspare
from zdriver.daemon.forkcaller import DESCRIPTORS, Caller
from zdriver.daemon.forkchild import run_for
from zdriver.daemon.options import Options, command
from zdriver.daemon.sockets import Listener

log = logging.getLogger(__name__)

CALLERS_MAX = 64  #: commands at once; more run in place
LEAVE_TIMEOUT = 0.2  #: seconds between a caller's end and SIGHUP
HANGUP_TIMEOUT = 2.0  #: seconds between SIGHUP and SIGKILL
RELAYED = {signal.SIGINT, signal.SIGTERM, signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH, signal.SIGHUP}
RELAYED |= {signal.SIGQUIT}


class ForkServer:
    """The daemon's end: the process, and the socket whose end tells it to finish."""

    def __init__(self, pid: int, control: socket.socket) -> None:
        self.pid = pid
        self._control = control
        self._ended = False

    @property
    def alive(self) -> bool:
        if not self._ended:
            with contextlib.suppress(ChildProcessError):
                self._ended = os.waitpid(self.pid, os.WNOHANG)[0] != 0
        return not self._ended

    def drain(self) -> None:
        """Let it finish its commands and end; it does so by itself."""
        self._control.close()


#: What both need that part here, and that takes memory: OpenSSL, compressors, tables of characters,
#: the parser and editor of KDL. Imported before, it is there once.
_SHARED = (
    *("hashlib", "shutil", "tempfile", "unicodedata", "ckdl"),
    *("zdriver.context.rules", "zdriver.worktrees.names", "zdriver.zellij.setup"),
)


def start(listener: Listener) -> ForkServer:
    """Fork the server off this process, which must have no thread yet."""
    for name in _SHARED:
        import_module(name)
    gc.collect()
    gc.freeze()  # a collection would write into what is shared
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        _serve_and_exit(listener.sock, theirs)
    theirs.close()
    return ForkServer(pid, ours)


def spawn(listener: Listener) -> ForkServer:
    """The same from a process with threads: by executing the program anew."""
    ours, theirs = socket.socketpair()
    fds = (listener.sock.fileno(), theirs.fileno())
    child = subprocess.Popen(command(Options(fork_server=fds)), pass_fds=fds, stdin=subprocess.DEVNULL)
    child.returncode = 0  # `ForkServer.alive` reaps it
    theirs.close()
    return ForkServer(child.pid, ours)


def resume(listener: int, control: int) -> None:
    """Be the server, in a process that `spawn` started."""
    _serve_and_exit(socket.socket(fileno=listener), socket.socket(fileno=control))


def _serve_and_exit(listener: socket.socket, control: socket.socket) -> NoReturn:
    code = 1
    try:
        _close_all_but({0, 1, 2, listener.fileno(), control.fileno()})
        _preload()
        _Server(listener, control).serve()
        code = 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


def _close_all_but(kept: set[int]) -> None:
    """The daemon's lock and listening socket must not live on in this process."""
    borders = [-1, *sorted(kept), os.sysconf("SC_OPEN_MAX")]
    for low, high in itertools.pairwise(borders):
        if low + 1 < high:  # an empty range that ends at 0 would mean all of them
            os.closerange(low + 1, high)


def _preload() -> None:
    """Import what commands need, then keep the collector from touching (and so copying) it."""
    # By name: the commands and the library are above the daemon, which only hands them on.
    try:
        import_module("zdriver.cli.main").cli.preload()
        import_module("zdriver.cli.rehearsal")
    except Exception:  # a command that cannot be imported fails when it is given, alone
        log.exception("importing the commands")
    import_module("zdriver.library").prepare()
    root = logging.getLogger()
    root.handlers.clear()  # the daemon's: a command logs like one that runs in place
    root.setLevel(logging.WARNING)
    gc.collect()
    gc.disable()
    gc.freeze()


class _Server:
    def __init__(self, listener: socket.socket, control: socket.socket) -> None:
        self._listener = listener
        self._control = control
        self._build = build_id()
        self._callers: dict[int, Caller] = {}
        self._spare: forkspare.Spare | None = None
        self._draining = False
        self._wake, self._waker = socket.socketpair()
        for end in (self._wake, self._waker):
            end.setblocking(False)
        self._poll = select.poll()

    def serve(self) -> None:
        """Until the control socket ends and the last command is done."""
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for sock in (self._listener, self._control, self._wake):
            self._poll.register(sock, select.POLLIN)
        while not self._draining or self._callers:
            for fd, _ in self._poll.poll(self._patience()):
                self._handle(fd)
            self._hurry()

    def _handle(self, fd: int) -> None:
        if fd == self._wake.fileno():
            with contextlib.suppress(BlockingIOError):
                self._wake.recv(256)
            self._reap()
        elif fd == self._control.fileno():
            self._poll.unregister(self._control)
            self._poll.unregister(self._listener)
            self._listener.close()
            self._draining = True
            self._dismiss_spare()
        elif fd in self._callers:
            self._listen_to(self._callers[fd])
        elif not self._draining:
            self._accept()

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        caller = Caller(sock)
        try:
            peer = platform.peer(sock)
            same = (peer.uid, peer.gid) == (os.getuid(), os.getegid())  # after `newgrp` it is not
            if not same or len(self._callers) >= CALLERS_MAX:
                raise ValueError("refused")
        except (OSError, ValueError):
            caller.say(b"no\n")
            sock.close()
            return
        caller.say(b"zd1 %b\n" % self._build.encode())
        self._callers[sock.fileno()] = caller
        self._poll.register(sock, select.POLLIN)

    def _listen_to(self, caller: Caller) -> None:
        try:
            if caller.pid:
                self._relay(caller)
            elif caller.read_request():
                if len(caller.fds) != DESCRIPTORS:
                    raise ValueError("descriptors are missing")
                self._run(caller)
        except BlockingIOError:
            return
        except (OSError, ValueError, EOFError):
            caller.say(b"no\n")
            self._drop(caller)

    def _run(self, caller: Caller) -> None:
        pid = self._hand_to_spare(caller)
        if not pid:
            pid = os.fork()
            if pid == 0:
                self._become(caller)
        with contextlib.suppress(OSError):  # the child does the same; whoever comes first
            os.setpgid(pid, pid)
        caller.pid = pid
        caller.deadline = None
        caller.forget_request()
        self._keep_spare()

    def _become(self, caller: Caller) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            if self._spare is not None:
                self._spare.close()
            self._let_go(but=caller)
        except BaseException:
            os._exit(1)
        run_for(caller.sock, caller.body(), caller.fds)

    def _let_go(self, but: Caller | None = None) -> None:
        """In a child: close all that is the server's, and the other callers'."""
        for sock in (self._listener, self._control, self._wake, self._waker):
            sock.close()
        for other in self._callers.values():
            if other is not but:
                other.sock.close()
                other.forget_request()

    # ---- the spare child ----------------------------------------------------------------

    def _hand_to_spare(self, caller: Caller) -> int:
        """The pid of the spare that has it now; 0: there is none to have it."""
        spare = self._spare
        if spare is None or not spare.hand(caller.sock, caller.body(), caller.fds):
            return 0
        self._spare = None
        spare.close()
        return spare.pid

    def _keep_spare(self) -> None:
        if self._spare is not None:
            self._spare.deadline = time.monotonic() + forkspare.LIFE
        elif not self._draining:
            with contextlib.suppress(OSError):  # no process to be had: the next command may find one
                self._spare = forkspare.fork(self._let_go)

    def _dismiss_spare(self) -> None:
        if self._spare is not None:
            self._spare.close()
            self._spare = None

    def _relay(self, caller: Caller) -> None:
        asked = caller.sock.recv(64)
        if not asked:  # the caller is gone
            self._poll.unregister(caller.sock)
            caller.deadline = time.monotonic() + LEAVE_TIMEOUT
        for number in asked:
            if number in RELAYED:
                _signal(caller.pid, number)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._spare is not None and self._spare.pid == pid:
                self._dismiss_spare()
            for caller in list(self._callers.values()):
                if caller.pid == pid:
                    code = os.waitstatus_to_exitcode(status)
                    caller.say(b"x%d\n" % code if code >= 0 else b"s%d\n" % -code)
                    self._drop(caller)

    def _drop(self, caller: Caller) -> None:
        with contextlib.suppress(KeyError):
            self._poll.unregister(caller.sock)
        self._callers.pop(caller.sock.fileno(), None)
        caller.forget_request()
        caller.sock.close()

    def _patience(self) -> float | None:
        """Milliseconds until somebody's time is up."""
        deadlines = [caller.deadline for caller in self._callers.values() if caller.deadline is not None]
        deadlines += [self._spare.deadline] if self._spare is not None else []
        return max(0.0, min(deadlines) - time.monotonic()) * 1000 + 1 if deadlines else None

    def _hurry(self) -> None:
        now = time.monotonic()
        if self._spare is not None and self._spare.deadline <= now:
            self._dismiss_spare()
        for caller in list(self._callers.values()):
            if caller.deadline is None or caller.deadline > now:
                continue
            if not caller.pid:
                self._drop(caller)
            elif not caller.hung_up:
                caller.hung_up = True
                caller.deadline = now + HANGUP_TIMEOUT
                _signal(caller.pid, signal.SIGHUP)
                _signal(caller.pid, signal.SIGCONT)
            else:
                caller.deadline = None
                _signal(caller.pid, signal.SIGKILL)


def _signal(group: int, number: int) -> None:
    """To the command and what it started, as a terminal would."""
    try:
        os.killpg(group, number)
    except OSError:
        with contextlib.suppress(OSError):
            os.kill(group, number)
