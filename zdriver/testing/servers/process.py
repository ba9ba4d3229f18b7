"""A server as a child process: started, stopped, killed, suspended; never left behind."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from zdriver.testing import processes
from zdriver.testing.waiting import TimedOut, until

#: Below those that the system gives to outgoing connections (a server that is down for a moment would
#: lose its port to one), and beside those that zdriver leases to worktrees.
_PORTS = range(10_240, 20_000)
_drawn: set[int] = set()

#: Linux sends the death signal when the *thread* ends that started the child: all are started by this
#: one, which lives as long as the process.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="servers")


class Missing(Exception):
    """A server's program is not installed; the message says what to install."""


class ServerFailed(Exception):
    """A server did not start or stop; the message has the end of its log."""


def program(name: str, package: str, *folders: str) -> str:
    """The whole path of a program, looked up in `folders` and on PATH. Raises Missing."""
    path = os.pathsep.join(
        [*folders, os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/lib/rabbitmq/bin"]
    )
    if found := shutil.which(name, path=path):
        return found
    raise Missing(f"{name} is not there: the tests need it. On Debian: sudo apt-get install {package}")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, and that this process was not given before: whose
    it is may not listen yet, or be down for a moment. Two processes may draw the same one: rare enough.
    """
    while True:
        port = random.choice(_PORTS)
        if port in _drawn:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _drawn.add(port)
        return port


@contextmanager
def scratch(name: str) -> Iterator[Path]:
    """A folder with a short path that every user may enter; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=f"zd-{name}-", dir="/tmp", ignore_cleanup_errors=True) as made:
        Path(made).chmod(0o755)
        yield Path(made)


class Server(ABC):
    """One server in one folder; a context manager that starts it and, at its end, stops it.

    All methods may be called from any thread, but one at a time.
    """

    name: ClassVar[str]
    #: what it gets when this process dies, however that dies
    last_signal: ClassVar[str] = "KILL"
    patience: ClassVar[float] = 90.0  #: seconds for a start or a stop

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._suspended = False
        folder.mkdir(parents=True, exist_ok=True)

    # -- what differs --------------------------------------------------------------------------

    @property
    @abstractmethod
    def url(self) -> str:
        """What zdriver's configuration takes, secret included."""

    @abstractmethod
    def command(self) -> Sequence[str]: ...

    @abstractmethod
    def ready(self) -> bool:
        """Whether it answers."""

    def prepare(self) -> None:  # noqa: B027  (a server may have nothing to prepare)
        """Before each start."""

    def environment(self) -> Mapping[str, str]:
        return {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ} | {
            "LANG": "C.UTF-8"
        }

    def identity(self) -> Sequence[str]:
        """Options of setpriv(1) that say whom it runs as."""
        return ()

    def dismiss(self) -> None:  # noqa: B027  (the same)
        """After its end: what else it left running."""

    # -- its life ------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """Of the server's first process. Raises ServerFailed when it does not run."""
        if self._process is None:
            raise ServerFailed(f"{self.name} does not run")
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers. Raises ServerFailed, Missing."""
        if self._process is not None:
            raise ServerFailed(f"{self.name} runs already")
        self.prepare()
        self._process = self.child(self.command())
        try:
            until(
                self._up, what=f"{self.name} to answer", deadline=self.patience, every=0.01, shows=self.tail
            )
        except BaseException as error:  # also Ctrl-C: what was started ends
            self.kill()
            if isinstance(error, TimedOut):
                raise ServerFailed(str(error)) from None
            raise

    def _up(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise ServerFailed(f"{self.name} ended with {self._process.returncode}:\n{self.tail()}")
        return self.ready()

    def child(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """A child that dies with this process; its output goes to the log."""
        setpriv = program("setpriv", "util-linux")
        dying = [setpriv, "--pdeathsig", self.last_signal, *self.identity(), "--"]
        with self.log.open("ab") as log:
            return _starter.submit(
                subprocess.Popen,
                [*dying, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.environment()),
                cwd="/",
                start_new_session=True,  # Ctrl-C in the terminal is for the tests
            ).result()

    def stop(self) -> None:
        """Stop it as an administrator does (SIGTERM); nothing happens when it does not run."""
        if self._process is None:
            return
        self.resume()
        self._process.send_signal(self.stopping())
        try:
            self._process.wait(self.patience)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFailed(f"{self.name} did not stop:\n{self.tail()}") from None
        self._ended()

    def stopping(self) -> int:
        return signal.SIGTERM

    def kill(self) -> None:
        """SIGKILL, all of its processes; it keeps its port and its data."""
        if self._process is None:
            return
        family = self._halt()
        for pid in family:
            processes.kill(pid)
        self._process.wait()
        until(lambda: not any(map(processes.alive, family)), what=f"the end of {self.name}", every=0.005)
        self._ended()

    def _ended(self) -> None:
        self._process, self._suspended = None, False
        self.dismiss()

    def suspend(self) -> None:
        """SIGSTOP: it keeps its connections and says nothing."""
        self._suspended = True
        for pid in self._halt():
            processes.kill(pid, signal.SIGSTOP)
            self._wait_halted(pid)

    def resume(self) -> None:
        if self._process is not None and self._suspended:
            for pid in self._family():
                processes.kill(pid, signal.SIGCONT)
        self._suspended = False

    def _halt(self) -> list[int]:
        """Its processes. The first one stands still: it starts no others while they are looked up."""
        processes.kill(self.pid, signal.SIGSTOP)
        self._wait_halted(self.pid)
        return self._family()

    def _wait_halted(self, pid: int) -> None:
        """A signal is on its way for a moment: a process may go on until it is at a place to stop."""
        until(lambda: processes.halted(pid), what=f"{self.name} ({pid}) to stand still", every=0.002)

    def _family(self) -> list[int]:
        """Itself and all that it started, children after their parents."""
        found = [self.pid]
        for pid in found:  # grows while it is gone through
            found += processes.children(pid)
        return found

    def tail(self) -> str:
        """The end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-25:])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What is thrown away afterwards needs no tidy end.
        self.kill()
