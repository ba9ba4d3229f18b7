"""The daemon: its life from the lock to the last answer.

The order matters. The fork server is forked before there is any thread and before the
store is open. Listening sockets exist before the store is open, so early clients wait
instead of failing. At the end the sockets go first, then what was accepted is finished,
then the components stop, then the store is closed, then the lock is let go.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

import msgspec

from zdriver import __version__
from zdriver.core import paths, umask, urls
from zdriver.core.build import build_id
from zdriver.core.clock import now_us
from zdriver.core.config import Config, load_config
from zdriver.core.errors import Conflict, StoreInUse, ZdriverError
from zdriver.daemon import engines, logfile
from zdriver.daemon.api import DaemonApi, DaemonStatus
from zdriver.daemon.forks import Forks
from zdriver.daemon.lock import FileLock
from zdriver.daemon.options import Inherited, Options, command
from zdriver.daemon.sockets import Listener, answers
from zdriver.daemon.starting import Ready, advertise, advertised
from zdriver.daemon.status import memory_kib
from zdriver.daemon.wiring import Assembly, assemble
from zdriver.rpc.methods import MethodTable
from zdriver.rpc.protocol import CLI, PROTOCOL, Welcome
from zdriver.rpc.server import Connection, Server

log = logging.getLogger(__name__)

#: Seconds a new daemon waits for the one before it to finish.
TAKE_OVER = 15.0
#: Seconds between two looks at the sockets and the log file.
LOOK_EVERY = 2.0
#: Seconds that accepted requests get at the end.
DRAIN = 10.0

Ending = Literal["", "stop", "execute", "idle", "lost"]


def run(options: Options | None = None, assembling: Callable[[], Assembly] = assemble) -> int:
    """Be the daemon until it is told to end; the exit code."""
    options = options or Options()
    before = umask.be_private(options.umask)
    os.chdir("/")
    ready = Ready(options.ready_fd)
    if options.detach:
        _leave_session()
    try:
        config = load_config()
        level = config.daemon.log_level
        logs = logfile.to_file(paths.log_file(), level) if options.log else None
        if logs is None:
            logfile.to_stderr(level)
        Daemon(msgspec.structs.replace(options, umask=before), config, logs, assembling).live(ready)
    except ZdriverError as error:
        log.error("%s; %s", error.message, error.hint)
        ready.failed(error)
        return error.exit_code
    except OSError as error:
        log.exception("the daemon ends")
        ready.failed(ZdriverError(f"the daemon cannot start: {error}"))
        return 1
    return 0


def _leave_session() -> None:
    """The starter began a session; its child leads none, so it can never get a terminal."""
    if os.fork():
        os._exit(0)


class Daemon(DaemonApi):
    def __init__(
        self,
        options: Options,
        config: Config,
        logs: logfile.LogFile | None,
        assembling: Callable[[], Assembly],
    ) -> None:
        self._options = options
        self._config = config
        self._logs = logs
        self._assembling = assembling
        self._started_at = datetime.now(UTC)
        self._told = now_us()
        self._build = build_id()
        self._welcome = Welcome(
            protocol=PROTOCOL,
            version=__version__,
            build=self._build,
            pid=os.getpid(),
            data_dir=str(paths.data_dir()),
        )
        self._ending: Ending = ""
        self._wake, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._wake.setblocking(False)

    # -- what clients ask ---------------------------------------------------------------

    def status(self) -> DaemonStatus:
        fork_server = self._forks.pid
        return DaemonStatus(
            pid=os.getpid(),
            version=__version__,
            build=self._build,
            started_at=self._started_at,
            socket=str(self._listener.path),
            log=str(self._logs.path) if self._logs else "",
            database=urls.shown(self._config.storage.url) or str(self._config.database()),
            clients=self._server.connections,
            plugins=self._assembly.plugins(),
            fork_server=fork_server != 0,
            idle_exit=self._config.daemon.idle_exit,
            stays_for=self._assembly.stays_for(),
            memory_kib=memory_kib(os.getpid()) + (memory_kib(fork_server) if fork_server else 0),
            notices=self._assembly.notices(),
            engines=engines.asked(self._assembly.engines),
        )

    def stop(self) -> None:
        self._end("stop")

    def reload(self, *, force: bool = False) -> bool:
        now = build_id()
        if not now:  # uninstalled: whoever comes next starts what is installed then
            self._end("stop")
        elif force or now != self._build:
            self._end("execute")
        return bool(self._ending)

    def hello(
        self,
        connection: Connection,
        protocol: int = PROTOCOL,
        client: str = "",
        pid: int = 0,
        build: str = "",
    ) -> Welcome:
        """Whom a client speaks to. A client of another build may be a sign that ours was upgraded."""
        if protocol != PROTOCOL:
            raise Conflict(
                f"this daemon speaks protocol {PROTOCOL}, the client {protocol}",
                hint="use the same version of zdriver on both sides",
            )
        connection.client = client or "unknown"
        if build and build != self._build:
            self.reload()
        return self._welcome if client != CLI else self._welcome_with_news()

    def _welcome_with_news(self) -> Welcome:
        """What went wrong with the store since this began or said so last: one command is told."""
        since, self._told = self._told, now_us()
        try:
            news = self._assembly.news(since)
        except ZdriverError:  # the store is in trouble: the request itself will hear of it
            self._told = since
            return self._welcome
        return msgspec.structs.replace(self._welcome, notices=news) if news else self._welcome

    # -- its life -----------------------------------------------------------------------

    def live(self, ready: Ready) -> None:
        folder = paths.private_dir(paths.runtime_dir())
        inherited = self._options.inherited
        if inherited is not None:
            self._lock = FileLock.inherited(folder / "daemon.lock", inherited.lock)
        elif not self._take_lock(FileLock(folder / "daemon.lock")):
            if not ready.asked:
                raise Conflict(
                    f"a daemon is already running (pid {self._lock.holder() or 'unknown'})",
                    hint="`zdriver daemon status` shows it, `zdriver daemon stop` ends it",
                )
            ready.serving()  # somebody else is, which is all that was wanted
            return
        self._listen(inherited)
        try:
            self._serve(ready)
            if self._ending == "execute":
                self._execute_again()
        finally:
            self._listener.close()
            self._forks.end()
            self._lock.release()

    def _take_lock(self, lock: FileLock) -> bool:
        self._lock = lock
        deadline = time.monotonic() + TAKE_OVER
        while not lock.take(0.2):
            if answers(paths.daemon_socket()):
                return False
            if time.monotonic() > deadline:
                raise Conflict(
                    f"another daemon (pid {lock.holder() or 'unknown'}) is there and does not answer",
                    hint=f"end it with kill -9, then try again; {paths.log_file()} may say why",
                )
        return True

    def _listen(self, inherited: Inherited | None) -> None:
        if inherited is None:
            self._listener = Listener.bind(paths.daemon_socket())
            self._forks = Forks.bind(paths.fork_socket())
        else:
            self._listener = Listener.inherited(paths.daemon_socket(), inherited.daemon)
            self._forks = Forks.inherited(paths.fork_socket(), inherited.fork)

    def _serve(self, ready: Ready) -> None:
        self._assembly = self._assemble()
        table = MethodTable()
        table.add("daemon", DaemonApi, self)
        table.add_function("hello", self.hello, wants_connection=True)
        self._assembly.register(table)
        self._server = Server(self._listener.sock, table)
        try:
            self._assembly.start()
            self._on_signals()  # first: whoever is answered knows our pid, and may send one at once
            self._server.start()
            gc.collect()
            gc.freeze()
            advertise(self._listener.path)
            log.info("serving %s, pid %d, build %s", self._listener.path, os.getpid(), self._build)
            ready.serving()
            self._wait()
            log.info("ending: %s", self._ending)
            if self._ending != "execute":  # new clients find no socket and start the next daemon
                self._listener.withdraw()
                self._forks.withdraw()
            self._server.stop(DRAIN)
        finally:
            self._assembly.stop(coming_back=self._ending == "execute")

    def _assemble(self) -> Assembly:
        """A daemon that lost its folder, or was killed, may own the store a moment longer."""
        deadline = time.monotonic() + TAKE_OVER
        while True:
            try:
                return self._assembling()
            except StoreInUse:
                if time.monotonic() > deadline or advertised() is not None:
                    raise
                time.sleep(0.1)

    def _on_signals(self) -> None:
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._end("stop"))
        # A terminal that closes takes along what runs in it, and nothing else.
        signal.signal(signal.SIGHUP, signal.SIG_IGN if self._logs else lambda *_: self._end("stop"))

    def _end(self, how: Ending) -> None:
        if not self._ending or (self._ending, how) == ("execute", "stop"):
            self._ending = how
        with contextlib.suppress(BlockingIOError):
            self._waker.send(b"\0")

    def _wait(self) -> None:
        while not self._ending:
            poll = select.poll()
            poll.register(self._wake, select.POLLIN)
            if (died := self._forks.watch()) >= 0:
                poll.register(died, select.POLLIN)
            poll.poll(LOOK_EVERY * 1000)
            with contextlib.suppress(BlockingIOError):
                self._wake.recv(256)
            self._look()

    def _look(self) -> None:
        """What nobody tells us: sockets that were removed, a full log, a dead fork server, idleness."""
        if self._ending:
            return
        if self._logs is not None:
            with contextlib.suppress(OSError):
                self._logs.turn_over()
        if not self._lock.in_place():
            self._end("lost")  # the whole folder was removed: whoever comes starts another daemon
            return
        if not self._listener.in_place():
            log.warning("%s was removed; listening there again", self._listener.path)
            old, self._listener = self._listener, Listener.bind(self._listener.path)
            self._server.replace_listener(self._listener.sock)
            old.close()
        self._forks.look()
        limit = self._config.daemon.idle_exit
        stays = self._assembly.plugins() or self._assembly.stays_for()
        if limit and not stays and self._server.idle_seconds() > limit:
            self._end("idle")

    def _execute_again(self) -> None:
        """Become the program that is installed now. The listening sockets and the lock stay open."""
        for fd in (self._lock.fileno(), self._listener.sock.fileno()):
            os.set_inheritable(fd, True)
        fork = self._forks.hand_over()
        signal.set_wakeup_fd(-1)
        kept = Inherited(lock=self._lock.fileno(), daemon=self._listener.sock.fileno(), fork=fork)
        argv = command(Options(log=self._options.log, inherited=kept, umask=self._options.umask))
        os.execv(argv[0], argv)
