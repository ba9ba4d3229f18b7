"""The two pipes to one Zellij session's plugin, as one JSON-RPC peer (docs/bridge.md).

A thread of its own starts both `zellij pipe` children, moves bytes, and ends them: the
parent-death signal that takes the up pipe along when the daemon is killed is tied to the
*thread* that started it, so that thread has to live as long as it does. It sleeps in
poll(2) until a pipe or the server's pidfd has something, so an idle bridge costs nothing;
what goes down waits in an `Outbox`.

When the server is killed the up pipe's client spins at 100 % CPU for ever and the other
just stays, so the pidfd ends both.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import TypeVar

import msgspec

from zdriver.core import platform
from zdriver.core.errors import Unavailable, ZdriverError
from zdriver.zellij.messages import Message, as_error, error_line, line, parse, result_line
from zdriver.zellij.outbox import Outbox
from zdriver.zellij.spawn import Breaker, Server

T = TypeVar("T")

GONE = "the Zellij server is gone"
PLUGIN = "zdriver"  #: the alias that `setup zellij` writes into `plugins { … }`
READY_TIMEOUT = 10.0  #: seconds from the spawn to `plugin.ready`
SPAWN_AGAIN = 0.05  #: seconds to the next try, doubled as long as they fail
SPAWN_AGAIN_MAX = 3.0
REQUEST_TIMEOUT = 3.0  #: seconds
_READ = 1 << 16
_STDERR_MAX = 2000


#: Splits bytes into whole lines; raises ZdriverError when a line is too long.
Frames = Callable[[bytes], Iterable[bytes]]
#: A request (`message.id` set) or notification of the plugin; on the bridge's thread, must not block.
OnCall = Callable[[Message], None]
#: The bridge is over, for this reason.
OnEnd = Callable[[str], None]


class Bridge:
    """Live from `start()` until `on_end` is called, once."""

    def __init__(
        self,
        server: Server,
        hello: Callable[[], object],
        *,
        frames: Callable[[], Frames],
        on_call: OnCall,
        on_end: OnEnd,
    ) -> None:
        """`hello` gives the parameters of that message, `frames` a splitter: new for each pair of pipes."""
        self.server = server
        self.breaker = Breaker()
        self.ready = threading.Event()  #: set by the owner when `plugin.ready` came
        self._hello = hello
        self._frames = frames
        self._split = frames()
        self._on_call = on_call
        self._on_end = on_end
        self._lock = threading.Lock()
        self._pending: dict[int, Future[Message]] = {}
        self._next_id = 0
        self._out = Outbox(lambda: self.server.session)
        self._closing: str = ""
        self._thread = threading.Thread(target=self._run, name=f"bridge {server.session}", daemon=True)
        self._errors = bytearray()

    def start(self) -> None:
        self._thread.start()

    # ---- towards the plugin -------------------------------------------------------------

    def notify(self, method: str, params: object) -> None:
        """Raises Unavailable when the bridge is over or Zellij has stopped reading."""
        self._out.send(line(method, params))

    def request(self, method: str, params: object, result: type[T], *, timeout: float = REQUEST_TIMEOUT) -> T:
        """Ask the plugin. Raises Unavailable (no answer), Conflict (not pristine), ZdriverError."""
        what = f'Zellij session "{self.server.session}"'
        self.breaker.check(what)
        answer: Future[Message] = Future()
        with self._lock:
            self._next_id += 1
            id_ = self._next_id
            self._pending[id_] = answer
        try:
            self._out.send(line(method, params, id_))
            message = answer.result(timeout)
        except TimeoutError as error:
            self.breaker.failed()
            raise Unavailable(
                f"{what} did not answer in {timeout:g} s", hint="is it stopped or stuck?"
            ) from error
        finally:
            with self._lock:
                self._pending.pop(id_, None)
        if message.error is not msgspec.UNSET:
            raise as_error(message.error)
        raw = message.result if message.result is not msgspec.UNSET else msgspec.Raw(b"null")
        try:
            return msgspec.json.decode(raw, type=result)
        except msgspec.MsgspecError as error:
            raise Unavailable(f"the plugin's answer to {method} makes no sense: {error}") from error

    def answer(self, id_: int | str, result: object) -> None:
        with contextlib.suppress(Unavailable):  # nobody is left to hear it
            self._out.send(result_line(id_, result))

    def refuse(self, id_: int | str, error: ZdriverError) -> None:
        with contextlib.suppress(Unavailable):
            self._out.send(error_line(id_, error))

    def close(self, reason: str, *, reattach: bool = False, timeout: float = 1.0) -> None:
        """Say `bye` and end both pipes; returns when they are gone, or after `timeout` seconds."""
        with contextlib.suppress(Unavailable):
            self.notify("bye", {"reason": reason, "reattach": reattach})
        with self._lock:
            self._closing = self._closing or reason
        self._out.wake()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive() and not self._closing

    @property
    def connected(self) -> bool:
        """The plugin has answered on the pipes that are open now."""
        return self.ready.is_set() and self._out.is_open and not self._closing

    @property
    def waiting(self) -> int:
        """Requests that have no answer yet."""
        return len(self._pending)

    @property
    def unread(self) -> int:
        """Bytes that Zellij has not taken yet."""
        return self._out.waiting

    # ---- the bridge's own thread --------------------------------------------------------

    def _run(self) -> None:
        reason = "it never started"
        try:
            with platform.watch(self.server.pid) as watch:
                reason = self._keep_up(watch)
        except (OSError, ZdriverError) as error:
            reason = str(error)
        finally:
            self._end(reason)

    def _keep_up(self, watch: platform.Watch) -> str:
        """Have two pipes open for as long as the server lives; why that ended.

        A Zellij that is just starting does not know its own session yet, and 0.45 sometimes
        sends a pipe's client away when another client leaves. The plugin cannot see either.
        """
        give_up = time.monotonic() + READY_TIMEOUT
        pause = SPAWN_AGAIN
        while True:
            began = time.monotonic()
            reason = self._once(watch, began + READY_TIMEOUT)
            now = time.monotonic()
            if self.ready.is_set():
                give_up = now + READY_TIMEOUT
            self.ready.clear()
            if self._closing or now >= give_up:
                return self._closing or reason
            self._refuse_pending(reason)
            pause = SPAWN_AGAIN if now - began > READY_TIMEOUT else min(pause * 2, SPAWN_AGAIN_MAX)
            if watch.wait(pause):
                return GONE

    def _once(self, watch: platform.Watch, deadline: float) -> str:
        """Both pipes, from their start to their end; why they ended."""
        children: list[subprocess.Popen[bytes]] = []
        self._errors.clear()
        self._split = self._frames()
        try:
            children += [self._spawn("up"), self._spawn("down")]
            return self._pump(watch, deadline, *children)
        finally:
            self._out.shut()
            for child in children:
                _end_child(child)

    def _spawn(self, direction: str) -> subprocess.Popen[bytes]:
        name = f"{PLUGIN}-{direction}"
        child = subprocess.Popen(
            ["zellij", "--session", self.server.session, "pipe", "--plugin", PLUGIN, "--name", name],
            executable=self.server.program,
            env=self.server.client_env,
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            # Down needs none: at the end of its input it tells the plugin so, and ends.
            preexec_fn=platform.die_with_parent if direction == "up" else None,
        )
        for stream in (child.stdin, child.stdout, child.stderr):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
        # At once: until its first line a pipe counts as an attached client, and Ctrl-q would
        # then leave the Zellij session alive.
        assert child.stdin is not None
        os.write(child.stdin.fileno(), line("hello", self._hello()))
        return child

    def _pump(
        self,
        watch: platform.Watch,
        deadline: float,
        up: subprocess.Popen[bytes],
        down: subprocess.Popen[bytes],
    ) -> str:
        """Move bytes until the bridge is over; why it is."""
        assert up.stdout is not None
        assert up.stderr is not None
        assert down.stdin is not None
        assert down.stdout is not None
        assert down.stderr is not None
        poll = select.poll()
        out_fd = down.stdin.fileno()
        sources = {stream.fileno() for stream in (up.stdout, up.stderr, down.stdout, down.stderr)}
        for fd in (*sources, self._out.fileno(), watch.fileno()):
            poll.register(fd, select.POLLIN)
        self._out.open(out_fd)
        while not self._closing:
            poll.register(out_fd, select.POLLOUT if self._out.waiting else 0)
            left = None if self.ready.is_set() else deadline - time.monotonic()
            if left is not None and left <= 0:
                return "the plugin did not answer"
            for fd, events in poll.poll(None if left is None else max(1, int(left * 1000))):
                if fd == watch.fileno():
                    return GONE
                if fd == out_fd:
                    if events & (select.POLLERR | select.POLLHUP):
                        return self._last_words("the down pipe ended")
                    self._out.flush()
                elif fd == self._out.fileno():
                    self._out.awake()
                elif fd == up.stdout.fileno():
                    if not self._receive(fd):
                        return self._last_words("the up pipe ended")
                elif not self._complain(fd):
                    poll.unregister(fd)
        self._out.flush()
        return self._closing

    def _receive(self, fd: int) -> bool:
        try:
            data = os.read(fd, _READ)
        except BlockingIOError:
            return True
        if not data:
            return False
        self.breaker.worked()
        for text in self._split(data):
            self._dispatch(text)
        return True

    def _dispatch(self, text: bytes) -> None:
        try:
            message = parse(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return  # Zellij prints its own complaints on this pipe, too
        if message.method:
            self._on_call(message)
            return
        if isinstance(message.id, int):
            with self._lock:
                waiting = self._pending.pop(message.id, None)
            if waiting is not None:
                waiting.set_result(message)

    def _complain(self, fd: int) -> bool:
        try:
            data = os.read(fd, _READ)
        except BlockingIOError:
            return True
        self._errors += data
        del self._errors[:-_STDERR_MAX]
        return bool(data)

    def _last_words(self, reason: str) -> str:
        said = self._errors.decode(errors="replace").strip()
        return f"{reason}: {said.splitlines()[-1]}" if said else reason

    def _refuse_pending(self, reason: str) -> None:
        with self._lock:
            pending, self._pending = list(self._pending.values()), {}
        for answer in pending:
            answer.set_exception(Unavailable(f"the bridge to Zellij was closed: {reason}"))

    def _end(self, reason: str) -> None:
        with self._lock:
            self._closing = self._closing or reason
        self._out.close()
        self._refuse_pending(reason)
        self._on_end(reason)


def _end_child(child: subprocess.Popen[bytes]) -> None:
    """Let a pipe that can still read end by itself for a moment, then kill it."""
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(0.05)
    if child.poll() is None:
        child.kill()
    child.wait()
