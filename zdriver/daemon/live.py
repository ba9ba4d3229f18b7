"""One Zellij session that is bridged: its newest state, its snapshots, its status line.

Two threads: the bridge's, which only files what comes in, and a worker, which looks at
/proc, records, decides at the opening, and pushes what the status line shows. Requests
of the plugin run on the executor that all sessions share.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from typing import TypeVar

import msgspec

from zdriver import __version__
from zdriver.context.capture import State
from zdriver.context.capturing import Capture
from zdriver.context.contents import Packed
from zdriver.context.layout import Layout, terminals
from zdriver.context.ledger import server_key
from zdriver.context.vanishing import Vanishing
from zdriver.core import platform
from zdriver.core.errors import Internal, Unavailable, ZdriverError
from zdriver.daemon.scrollback import Scrollback
from zdriver.daemon.work import Ready, Work
from zdriver.rpc.framing import Framing
from zdriver.zellij import bridge, sessions, spawn
from zdriver.zellij.messages import Message, decode
from zdriver.zellij.spawn import Server

T = TypeVar("T")
log = logging.getLogger(__name__)

PROTOCOL = 1
TICK = 1.0  #: seconds between looks at what Zellij does not report
CAPTURE_TIMEOUT = 5.0  #: seconds
REQUESTS_MAX = 32  #: of one plugin, waiting for their answers
DUMP_AGAIN = 5.0  #: seconds to the next try, where a dump could not be made sense of


class LiveSession:
    """Implements `context.restoring.Terminal`."""

    def __init__(
        self,
        server: Server,
        *,
        key: str,
        client: int,
        name: str,
        capture: Capture,
        work: Work,
        executor: Executor,
        scrollback_lines: int = 0,
    ) -> None:
        self.key = key
        self.name = name  #: of the bridge
        self.client = client  #: whose plugin instance leads
        self.server = server  #: changes at once when its Zellij session is renamed
        #: Under which all that is known of it is kept: follows when that has gone along.
        self.zellij_session = server.session
        self.root = ""  #: set at the opening
        #: Names that its Zellij session had before: shells go on using them.
        self.former = {sessions.first_name(server)}
        self.ready: Ready | None = None
        self.capture = capture
        self._scrollback = Scrollback(server, scrollback_lines)
        self._texts_due = False  #: some were read that are not stored yet
        self._work = work
        self._executor = executor
        self._mail = threading.Condition()
        self._state: State | None = None  #: came, not yet looked at
        self._awaits_state = True
        self._nudged = False
        self._status_due = True  #: stays so while it cannot be sent
        self.status_sent: object = None
        self._warned = ""
        self._over = False
        self._opened = False
        self._recorded: Layout | None = None
        self._passed: Layout | None = None  #: not worth a generation, as things stood
        self._vanishing = Vanishing()
        self._next_dump = 0.0
        self._places = threading.BoundedSemaphore(REQUESTS_MAX)
        self._busy = threading.RLock()
        self._worker = threading.Thread(target=self._run, name=f"session {server.session}", daemon=True)
        self._bridge = bridge.Bridge(
            server,
            self._hello,
            frames=lambda: Framing().feed,
            on_call=self._on_call,
            on_end=self._on_end,
        )

    @property
    def alive(self) -> bool:
        """Its pipes are open, or being opened anew."""
        return self._bridge.alive

    @property
    def recorded(self) -> bool:
        """Something of it was worth a generation since this daemon knows it."""
        return self._recorded is not None

    @property
    def connected(self) -> bool:
        return self._bridge.connected

    def start(self) -> None:
        self._bridge.start()
        self._worker.start()

    def stop(self, reason: str, *, reattach: bool) -> None:
        self._bridge.close(reason, reattach=reattach)

    def status_due(self) -> None:
        """Something was committed: the status line may have to change."""
        with self._mail:
            self._status_due = True
            self._nudged = True
            self._mail.notify_all()

    def look_again(self) -> None:
        """What was not worth a generation may be now."""
        with self._mail:
            self._passed = None
            self._nudged = True
            self._mail.notify_all()

    # ---- context.restoring.Terminal -----------------------------------------------------

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Nothing is recorded meanwhile, and nobody else changes this session's panes."""
        with self._busy:
            yield

    def request(self, method: str, params: object, kind: type[T], *, timeout: float) -> T:
        return self._bridge.request(method, params, kind, timeout=timeout)

    def notify(self, method: str, params: object) -> None:
        self._bridge.notify(method, params)

    def settle(self, ready: Callable[[], bool], *, timeout: float) -> bool:
        """Take in states until `ready()`, for `timeout` seconds. Called within `exclusive`."""
        deadline = time.monotonic() + timeout
        while not ready():
            left = deadline - time.monotonic()
            if left <= 0 or self._over:
                return False
            if not self._absorb(min(left, 0.1)):
                self.capture.refresh()
        return True

    def layout(self) -> Layout:
        """As it is now. Raises Unavailable."""
        with self._busy:
            self._dump()
            if self.capture.layout is None:
                raise Unavailable(
                    f'the panes of Zellij session "{self.zellij_session}" are not known yet',
                    hint="try again in a second",
                )
            return self.capture.layout

    def keep(self) -> None:
        layout = self.layout()
        if not self._is_running():
            raise Unavailable(f'Zellij session "{self.zellij_session}" has ended', hint="open Zellij again")
        if self._work.record(self, layout):
            self._note_recorded(layout)

    def scrollback(self) -> Mapping[str, Packed]:
        with self._busy:
            if self.capture.state is not None:
                self._scrollback.read_all(self.capture.state, self.capture.processes)
            return dict(self._scrollback.kept)

    def adopt_scrollback(self, texts: Mapping[int, Packed]) -> None:
        self._scrollback.adopt(texts)

    @property
    def known_scrollback(self) -> Mapping[str, Packed]:
        """The same, as it was read last."""
        return self._scrollback.kept

    def resurrected_us(self) -> int | None:
        found = sessions.serialized(self.server.env, self.server.session)
        started = platform.started_us(self.server.pid)
        return found.written_us if found is not None and started and found.written_us < started else None

    def own_layout(self) -> bool:
        return sessions.layout_named(self.server)

    def end(self) -> None:
        spawn.end_session(self.server, breaker=self._bridge.breaker)

    def _hello(self) -> object:
        return {
            "protocol": PROTOCOL,
            "bridge": self.name,
            "client_id": self.client,
            "daemon": __version__,
        }

    # ---- the bridge's thread ------------------------------------------------------------

    def _on_call(self, message: Message) -> None:
        try:
            if message.method == "plugin.state":
                self._file(decode(message.params, State))
            elif message.method == "plugin.ready":
                self._on_ready(decode(message.params, Ready))
            elif message.id is not None:
                self._accept(message)
        except ZdriverError as error:
            log.warning("%s: %s", self.zellij_session, error)

    def _accept(self, message: Message) -> None:
        """Have a request answered by somebody else. Raises nothing: a full house is an answer, too."""
        assert message.id is not None
        if not self._places.acquire(blocking=False):
            self._bridge.refuse(message.id, Unavailable("zdriver is busy", hint="try again in a second"))
            return
        try:
            self._executor.submit(self._answer, message)
        except RuntimeError:  # the daemon is ending
            self._places.release()

    def _on_ready(self, ready: Ready) -> None:
        with self._mail:
            self.ready = ready
            self.client = ready.client_id  # the lead may have gone to another instance
            self._mail.notify_all()
        self._bridge.ready.set()

    def _file(self, state: State) -> None:
        with self._mail:
            if self._state is not None and state.layout is None:
                state = msgspec.structs.replace(state, layout=self._state.layout)
            self._state = state
            self._mail.notify_all()

    def _on_end(self, reason: str) -> None:
        with self._mail:
            self._over = True
            self._mail.notify_all()
        self._work.ended(self, reason)

    def _answer(self, message: Message) -> None:
        assert message.id is not None
        try:
            result = self._work.serve(self, message)
        except ZdriverError as error:
            self._bridge.refuse(message.id, error)
        except Exception:
            log.exception("%s: %s failed", self.zellij_session, message.method)
            self._bridge.refuse(message.id, Internal("zdriver failed at this; its log says more"))
        else:
            self._bridge.answer(message.id, result)
        finally:
            self._places.release()

    # ---- the worker ---------------------------------------------------------------------

    def _run(self) -> None:
        while not self._over:
            try:
                with self._mail:
                    if self._state is None and not self._nudged and not self._over:
                        self._mail.wait(TICK)
                    self._nudged = False
                with self._busy:
                    self._step()
            except ZdriverError as error:
                log.warning("%s: %s", self.zellij_session, error)
            except Exception:
                log.exception("%s: a look at it failed", self.zellij_session)

    def _step(self) -> None:
        self._follow_name()
        came = self._absorb(0.0) or self.capture.refresh()
        if self._over or not self.connected or self._awaits_state:
            return
        if self.capture.needs_dump and (came or time.monotonic() >= self._next_dump):
            self._next_dump = time.monotonic() + DUMP_AGAIN
            self._dump()
        if not self._opened and self.capture.layout is not None:
            self._open()
        try:
            self._record(came)
            self._read_scrollback()
        finally:  # also, and above all, when nothing can be kept now
            warning = self._work.warning()
            if came or self._status_due or warning != self._warned:
                self._warned = warning
                self._push_status()

    def _follow_name(self) -> None:
        name = sessions.name_now(self.server)
        if name != self.server.session:
            log.info("%s is called %s now", self.server.session, name)
            self.server = self._bridge.server = self._scrollback.server = sessions.renamed(self.server, name)
        if self._opened and name != self.zellij_session:
            self._work.renamed(self, name)

    def called(self, name: str, *, before: str) -> None:
        """All that is known of it is kept under that name now."""
        self.former.add(before)
        self.zellij_session = name

    def _open(self) -> None:
        try:
            self._work.opening(self)
        except ZdriverError:
            # Pipes that broke meanwhile come back, with a state that says what there is then.
            self._opened = self.connected
            raise
        self._opened = True

    def _absorb(self, timeout: float) -> bool:
        """Take the newest state, waiting for one; whether there was one."""
        with self._mail:
            if self._state is None and timeout > 0 and not self._over:
                self._mail.wait(timeout)
            state, self._state = self._state, None
            if state is not None:
                self._awaits_state = False
        if state is None:
            return False
        self.capture.update(state)
        return True

    def _dump(self) -> None:
        self.capture.update(self._bridge.request("capture", {}, State, timeout=CAPTURE_TIMEOUT))

    def _record(self, came: bool) -> None:
        layout = self.capture.layout
        if layout is None or not self._opened:
            return
        if layout == self._recorded:
            self._vanishing.all_there()
            return
        if not self._is_certain(layout) or (layout == self._passed and not came):
            return
        if self._work.record(self, layout):
            self._note_recorded(layout)
        else:
            self._passed = layout

    def _note_recorded(self, layout: Layout) -> None:
        self._recorded, self._passed = layout, None
        self._vanishing.recorded(_count(layout), self.capture.processes)

    def _is_certain(self, layout: Layout) -> bool:
        """Whether `layout` may be kept: not while the session itself seems to be ending."""
        state, count, now = self.capture.state, _count(layout), time.monotonic()
        assert state is not None
        believed = self._vanishing.is_believed(count, state.pids, self.capture.processes, now=now)
        return believed and self.alive and self._is_running()

    def _is_running(self) -> bool:
        """Whether its Zellij server is."""
        return server_key(self.server.pid) == self.key

    def _read_scrollback(self) -> None:
        state = self.capture.state
        if state is None or not self._opened:
            return
        self._texts_due |= self._scrollback.step(state, self.capture.processes)
        # Only beside a layout that was kept: the session may be ending.
        if self._texts_due and self._recorded is not None and self._recorded == self.capture.layout:
            self._work.record(self, self._recorded)
            self._texts_due = False

    def _push_status(self) -> None:
        self._status_due = False
        status = self._work.status(self)
        if status == self.status_sent:
            return
        if self._bridge.unread:
            self._status_due = True  # Zellij is behind: what it gets later is newer
            return
        self._bridge.notify("status", status)
        self.status_sent = status


def _count(layout: Layout) -> int:
    return sum(len(terminals(tab)) for tab in layout.tabs)
