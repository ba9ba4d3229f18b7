"""Every spawn of the `zellij` program: as its session's server was started, and never waited for long.

A Zellij whose control plane is wedged (a stopped process, a deadlock: zellij#5400) answers
nothing and refuses nothing. So each call has a short timeout, and after two that ran
out a *breaker* lets further calls to that server fail at once for a while.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from zdriver.core import platform
from zdriver.core.errors import Unavailable

#: What a `zellij` child needs from the server's environment: where its socket, its
#: configuration and its cache lie. Not `ZELLIJ` itself: the child is in no pane.
_PASSED = frozenset(
    {
        "HOME",
        "LANG",
        "LC_ALL",
        "LOGNAME",
        "PATH",
        "TMPDIR",
        "USER",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
        "ZELLIJ_CONFIG_DIR",
        "ZELLIJ_CONFIG_FILE",
        "ZELLIJ_SOCKET_DIR",
    }
)

CALL_TIMEOUT = 2.0  #: seconds


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A running Zellij server, and how to start a client of the very same version."""

    session: str  #: its Zellij session's name
    pid: int
    program: str  #: path of the executable
    env: dict[str, str]  #: of the server: where its socket, its cache and its configuration lie
    sockets: str = ""  #: folder in which its clients find its socket and no other ("": with all others)

    @property
    def client_env(self) -> dict[str, str]:
        return {**self.env, "ZELLIJ_SOCKET_DIR": self.sockets} if self.sockets else self.env


def passed_environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name in _PASSED}


def find_server(session: str, pid: int) -> Server:
    """The server with this pid.

    A daemon may have been started from another terminal than the session, with another
    `XDG_RUNTIME_DIR` or `PATH`; the server's own environment and executable are the
    ones that fit. Where there is no `/proc`, ours are the best guess.
    """
    if pid <= 1:
        raise Unavailable(f"{pid} is no Zellij server", hint="open Zellij again")
    environ = platform.environ(pid)
    exe = Path("/proc") / str(pid) / "exe"
    try:
        program = str(exe.readlink())
    except OSError:
        return Server(session=session, pid=pid, program="zellij", env=passed_environment(os.environ))
    if "zellij" not in Path(program).name:  # packagers wrap it: ".zellij-wrapped"
        raise Unavailable(f"process {pid} is no Zellij server, it is {program}", hint="open Zellij again")
    if not Path(program).exists():  # Zellij was upgraded: its old file is gone, but /proc still has it
        program = str(exe)
    return Server(session=session, pid=pid, program=program, env=passed_environment(environ))


class Breaker:
    """Opens after `limit` timeouts in a row; then one call is let through every `rest` seconds."""

    def __init__(
        self, *, limit: int = 2, rest: float = 10.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._rest = rest
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._next_try = 0.0

    def check(self, what: str) -> None:
        """Raises Unavailable while open."""
        with self._lock:
            if self._failures < self._limit:
                return
            now = self._clock()
            if now < self._next_try:
                raise Unavailable(
                    f"{what} does not answer",
                    hint="Zellij may be stopped or stuck; zdriver tries again by itself",
                )
            self._next_try = now + self._rest

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._next_try = self._clock() + self._rest

    def worked(self) -> None:
        with self._lock:
            self._failures = 0

    @property
    def is_open(self) -> bool:
        return self._failures >= self._limit


def call(server: Server, *args: str, breaker: Breaker, timeout: float = CALL_TIMEOUT) -> str:
    """Run `zellij ARGS` beside `server`; its standard output.

    Raises Unavailable when it fails, does not end in `timeout` seconds, or the breaker is open.
    """
    what = f'Zellij session "{server.session}"'
    breaker.check(what)
    try:
        done = subprocess.run(
            ["zellij", *args],
            executable=server.program,
            env=server.client_env,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        breaker.failed()
        raise Unavailable(f"{what} did not answer in {timeout:g} s", hint="is it stopped?") from error
    except OSError as error:
        raise Unavailable(
            f"cannot run {server.program}: {error.strerror}", hint="is Zellij installed?"
        ) from error
    breaker.worked()
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise Unavailable(f"zellij {args[0]} failed: {lines[-1] if lines else done.returncode}")
    return done.stdout.decode(errors="replace")


def end_session(server: Server, *, breaker: Breaker) -> None:
    """End the Zellij session and what Zellij kept of it. Raises Unavailable."""
    call(server, "delete-session", "--force", server.session, breaker=breaker)
