"""Starting the daemon on first use. A lock decides who starts it; a probe tells whether it is there."""

from __future__ import annotations

import contextlib
import os
import select
import time
from pathlib import Path

import msgspec

from zdriver.core import paths
from zdriver.core.errors import Unavailable, ZdriverError, from_code
from zdriver.daemon.lock import FileLock
from zdriver.daemon.options import Options, command
from zdriver.daemon.sockets import answers
from zdriver.rpc.protocol import ErrorData

#: Seconds a daemon may take until it serves.
START_TIMEOUT = 20.0

#: Of the terminal, or the git hook, that happens to start the daemon; wrong for everybody after it.
_NOT_INHERITED = {"ZELLIJ", "ZELLIJ_SESSION_NAME", "ZELLIJ_PANE_ID", "TMUX", "TMUX_PANE", "OLDPWD", "PWD"}
#: Of the shell's function, for the one command that it runs.
_NOT_INHERITED |= {"ZDRIVER_CD_FILE", "ZDRIVER_PREVIOUS"}
#: `git rev-parse --local-env-vars`: what git tells its hooks about the one repository they are in.
_NOT_INHERITED |= {
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
}


class Outcome(msgspec.Struct, frozen=True):
    """What the starting daemon says on its ready pipe: one JSON line."""

    message: str = ""  #: "" when it serves
    data: ErrorData = ErrorData()


def find() -> Path:
    """The socket to connect to: this environment's, else the one of the daemon that has the store.

    The same user may have `XDG_RUNTIME_DIR` in one place and not in another (cron, sudo, ssh).
    """
    usual = paths.daemon_socket()
    return usual if usual.exists() else advertised() or usual


def advertise(socket: Path) -> None:
    """Leave beside the store where its daemon listens. A convenience: no harm when it fails."""
    note = paths.data_dir() / "daemon.socket"
    with contextlib.suppress(OSError):
        new = note.with_suffix(".new")
        new.write_text(str(socket))
        new.replace(note)


def advertised() -> Path | None:
    """Where a daemon of another environment listens, if it does."""
    try:
        socket = Path((paths.data_dir() / "daemon.socket").read_text())
    except (OSError, UnicodeDecodeError):
        return None
    return socket if socket.is_absolute() and socket != paths.daemon_socket() and answers(socket) else None


def ensure() -> None:
    """Make a daemon listen on the socket. Raises Unavailable, and why it could not start."""
    deadline = time.monotonic() + START_TIMEOUT
    lock = FileLock(paths.runtime_dir() / "start.lock")
    try:
        paths.private_dir(paths.runtime_dir())
        taken = lock.take(START_TIMEOUT)
    except OSError as error:
        instead = ", or set XDG_RUNTIME_DIR to a folder that you can write"
        raise paths.unwritable(lock.path, error, instead=instead) from error
    if not taken:
        raise Unavailable("somebody else has been starting the daemon for too long", hint=_look())
    with lock:
        if answers(paths.daemon_socket()):
            return
        if advertised() is None:
            spawn(max(1.0, deadline - time.monotonic()))
        else:  # a stale socket would be asked first
            paths.daemon_socket().unlink(missing_ok=True)


def spawn(timeout: float = START_TIMEOUT) -> None:
    """Start one in a session of its own, and wait until it serves."""
    import subprocess

    log = _open_log(paths.log_file())
    reading, writing = os.pipe()
    try:
        starter = subprocess.Popen(
            command(Options(detach=True, log=True, ready_fd=writing)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env={key: value for key, value in os.environ.items() if key not in _NOT_INHERITED},
            pass_fds=(writing,),
            start_new_session=True,
        )
        os.close(writing)
        writing = -1
        said = _read(reading, timeout)
        starter.wait()
    finally:
        for fd in (log, reading, writing):
            if fd >= 0:
                os.close(fd)
    _judge(said)


def _open_log(path: Path) -> int:
    try:
        paths.make_folders(path.parent)
        log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with contextlib.suppress(OSError):  # somebody else's, who let us write in it
            os.fchmod(log, 0o600)  # a umask may have taken our own rights away
        return log
    except OSError as error:
        raise paths.unwritable(path, error, instead=", or set XDG_STATE_HOME") from error


def _read(fd: int, timeout: float) -> bytes | None:
    """One line; what came of it when the writer is gone; None after `timeout` seconds."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    deadline = time.monotonic() + timeout
    said = b""
    while not said.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return None
        data = os.read(fd, 4096)
        if not data:
            break
        said += data
    return said


def _judge(said: bytes | None) -> None:
    if said is None:
        raise Unavailable("the daemon takes too long to start", hint=_look())
    try:
        outcome = msgspec.json.decode(said, type=Outcome)
    except msgspec.DecodeError:
        raise Unavailable("the daemon ended before it served", hint=_look()) from None
    if outcome.message:
        raise from_code(outcome.data.code, outcome.message, outcome.data.hint)


def _look() -> str:
    return f"{paths.log_file()} says why"


class Ready:
    """The starting daemon's end of the pipe. Each method may be called again and then does nothing."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @property
    def asked(self) -> bool:
        """Whether somebody waits to hear."""
        return self._fd >= 0

    def serving(self) -> None:
        self._say(Outcome())

    def failed(self, error: ZdriverError) -> None:
        self._say(Outcome(error.message, ErrorData(error.code, error.hint, error.exit_code)))

    def _say(self, outcome: Outcome) -> None:
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        try:
            os.write(fd, msgspec.json.encode(outcome) + b"\n")
        except OSError:
            pass  # who started us did not wait
        finally:
            os.close(fd)
