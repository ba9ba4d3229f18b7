"""All live bridges: who is attached, who leads, and what is done for each Zellij session."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import msgspec

from zdriver.context import contentfiles
from zdriver.context.capturing import Capture, ParseDump
from zdriver.context.layout import Layout
from zdriver.context.ledger import Ledger, server_key
from zdriver.context.model import Place
from zdriver.context.opening import Openings
from zdriver.context.restorer import Contexts, Snapshots
from zdriver.context.restoring import RestoreService
from zdriver.context.snapshots import Captured
from zdriver.core import paths, platform
from zdriver.core.errors import InvalidInput, Unavailable, ZdriverError
from zdriver.core.ids import new_id
from zdriver.daemon.attaching import Attached, Opened
from zdriver.daemon.grants import Grants
from zdriver.daemon.live import LiveSession
from zdriver.daemon.places import StatusLine, focused_cwd, status_line
from zdriver.daemon.plugincalls import PluginCalls
from zdriver.daemon.plugintrees import TreeCalls
from zdriver.daemon.tabs import Tabs
from zdriver.storage.port import Store
from zdriver.zellij import sessions
from zdriver.zellij.messages import Message
from zdriver.zellij.spawn import find_server

log = logging.getLogger(__name__)

SESSIONS_MAX = 200
#: Seconds within which plugins attach again when the daemon was killed, or has changed its build:
#: the command that started it anew may need them.
REATTACHED = 8.0
WORKERS = 4  #: requests of plugins served at a time


class Bridges:
    """A component of the daemon. Implements `attaching.BridgeApi`, `terminal.Terminals`, `work.Work`."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        contexts: Contexts,
        snapshots: Snapshots,
        *,
        parse_dump: ParseDump,
        capture_enabled: bool,
        scrollback_lines: int = 0,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._contexts = contexts
        self._snapshots = snapshots
        self._parse_dump = parse_dump
        self._capture_enabled = capture_enabled
        self._scrollback_lines = scrollback_lines if capture_enabled else 0
        self._lock = threading.Lock()
        self._sessions: dict[str, LiveSession] = {}
        self._executor = ThreadPoolExecutor(WORKERS, thread_name_prefix="plugin")
        #: what every status line warns of
        self.warning: Callable[[], str] = lambda: ""
        self._unsubscribe = store.subscribe(self._committed)
        self._rooted = threading.Condition()  #: notified when `find` finds one more
        self._started = -REATTACHED
        self._stopping = False
        self._coming_back = False
        self._grants = Grants()

    def connect(
        self,
        openings: Openings,
        restores: RestoreService,
        root_of: RootOf,
        tabs: Tabs,
        trees: TreeCalls,
    ) -> None:
        """The services that in their turn need the live sessions."""
        self._openings = openings
        self._calls = PluginCalls(self._contexts, self._snapshots, openings, restores, trees)
        self._root_of = root_of
        self._tabs = tabs

    # ---- component ----------------------------------------------------------------------

    def start(self) -> None:
        self._started = time.monotonic()
        platform.prepare_die_with_parent()
        sessions.clear(_sockets())  # left by a daemon that was killed
        contentfiles.clear()

    def leaving(self, coming_back: bool) -> None:
        """Whether a daemon follows this one at once, so that plugins shall attach again."""
        self._coming_back = coming_back

    def stop(self) -> None:
        with self._lock:
            self._stopping = True
            live = list(self._sessions.values())
        self._unsubscribe()
        for session in live:
            session.stop("the daemon ends", reattach=self._coming_back)
        self._executor.shutdown(wait=True, cancel_futures=True)

    def count(self) -> int:
        return len(self._sessions)

    # ---- BridgeApi ----------------------------------------------------------------------

    def attach(self, *, zellij_session: str, zellij_pid: int, client: int, cwd: str = "") -> Attached:
        if not zellij_session or len(zellij_session) > 255 or "/" in zellij_session:
            raise InvalidInput("that is no name of a Zellij session")
        key = server_key(zellij_pid)
        if not key:
            raise Unavailable(f"no process {zellij_pid}", hint="open Zellij again")
        with self._lock:
            if self._stopping:
                raise Unavailable("the daemon ends", hint="try again in a second")
            there = self._sessions.get(key)
            # One that is not connected yet is on its way; one that is has lost its pipes if it asks anew.
            if there is not None and there.alive and (there.client != client or not there.connected):
                return Attached(bridge=there.name, client=there.client, leads=there.client == client)
            if there is None and len(self._sessions) >= SESSIONS_MAX:
                raise Unavailable(f"{SESSIONS_MAX} Zellij sessions are connected already")
            session = self._new_session(key, zellij_session, zellij_pid, client)
            self._sessions[key] = session
        if there is not None:  # the same instance asks anew: it has lost the old pipes
            there.stop("attached anew", reattach=False)
        session.start()
        return Attached(bridge=session.name, client=client, leads=True)

    def sessions(self) -> tuple[str, ...]:
        with self._lock:
            live = [each for each in self._sessions.values() if each.connected and each.root]
        names = [session.zellij_session for session in live]
        # Shells of a renamed one ask by the old name.
        names += (name for session in live for name in sorted(session.former) if name)
        return tuple(dict.fromkeys(names))

    def open_tab(self, *, zellij_session: str, path: str, name: str = "") -> Opened:
        with self._rooted:
            left = max(0.0, self._started + REATTACHED - time.monotonic())
            session = self._rooted.wait_for(lambda: self.find(zellij_session), timeout=left)
        if session is None:
            raise Unavailable(
                f'no plugin is connected in Zellij session "{zellij_session}"',
                hint="`zdriver doctor` says what is missing",
            )
        return self._tabs.open(session, path, name)

    def _new_session(self, key: str, name: str, pid: int, client: int) -> LiveSession:
        id_ = new_id()
        return LiveSession(
            sessions.isolated(find_server(name, pid), _sockets() / id_[-8:]),
            key=key,
            client=client,
            name=id_,
            capture=Capture(self._parse_dump, mark=bool(self._scrollback_lines)),
            work=self,
            executor=self._executor,
            scrollback_lines=self._scrollback_lines,
        )

    # ---- terminal.Terminals -------------------------------------------------------------

    def name_now(self, zellij_session: str) -> str:
        """What a Zellij session is called now that had this name when a shell of it was started."""
        with self._lock:
            live = list(self._sessions.values())
        if any(session.zellij_session == zellij_session for session in live):
            return zellij_session
        return next(
            (session.zellij_session for session in live if zellij_session in session.former), zellij_session
        )

    def find(self, zellij_session: str) -> LiveSession | None:
        zellij_session = self.name_now(zellij_session)
        with self._lock:
            for session in self._sessions.values():
                if session.zellij_session == zellij_session and session.connected and session.root:
                    return session
        return None

    def captured(self, place: Place) -> Captured:
        """The Zellij session of a place as it is now (`snapshots.Capturer`).

        Raises InvalidInput outside of one, Unavailable when no plugin is connected in it.
        """
        if not place.zellij_session:
            raise InvalidInput(
                "a snapshot is taken of a Zellij session, and this is none",
                hint="open `zellij` and run it there",
            )
        session = self.find(place.zellij_session)
        if session is None:
            raise Unavailable(
                f'no plugin is connected in Zellij session "{place.zellij_session}"',
                hint="`zdriver doctor` says what is missing",
            )
        return Captured(
            zellij_session=session.zellij_session,
            root=session.root,
            layout=session.layout(),
            scrollback=session.scrollback(),
        )

    # ---- work.Work ----------------------------------------------------------------------

    def opening(self, session: LiveSession) -> None:
        ready = session.ready
        assert ready is not None
        self._grants.note(session.server.env)
        cwd = focused_cwd(session) or ready.initial_cwd
        name, known_as = session.zellij_session, self._ledger.name_of(session.key)
        seen = self._ledger.opened(session.key, name=name, pid=session.server.pid, root=self._root_of(cwd))
        if known_as and known_as != name:  # it was renamed while no daemon was there
            self._moved(session, seen.root, known_as, name)
        session.root = seen.root
        with self._rooted:
            self._rooted.notify_all()
        if not seen.decided:
            self._openings.opened(session)

    def renamed(self, session: LiveSession, name: str) -> None:
        self._moved(session, session.root, session.zellij_session, name)
        session.status_due()

    def _moved(self, session: LiveSession, root: str, old: str, new: str) -> None:
        self._snapshots.renamed(old, new, root=root)
        with self._contexts.names.changing():
            self._contexts.renamed(old, new)
            self._ledger.renamed(session.key, new)  # last: until then the next opening does it all
            session.called(new, before=old)

    def record(self, session: LiveSession, layout: Layout) -> bool:
        if not self._capture_enabled or self._is_blank(session):
            return False
        self._snapshots.record(
            session.zellij_session,
            session.root,
            layout,
            "change",
            scrollback=session.known_scrollback,
        )
        return True

    def _is_blank(self, session: LiveSession) -> bool:
        """Opened, and nothing done in it yet: not worth a generation, it would hide a good one."""
        state = session.capture.state
        # Once something was kept here, a blank shell is news: the rest was closed.
        offered = bool(state is not None and not session.recorded and self._openings.offered(session))
        if state is None or (state.typed and not offered):
            return False
        if offered and not state.typed:
            return True  # Zellij's own resurrection, beside which something newer is offered
        if len(state.tabs) != 1:
            return False
        shown = [pane for pane in state.panes if not pane.is_plugin]
        if len(shown) != 1 or shown[0].command is not None:
            return False
        found = session.capture.processes.get(shown[0].id)
        if found is None or found.argv or self._ledger.restores(session.key):
            return False
        # Zellij's start-up tip counts as input. While an offer stands, one idle shell where the
        # session began is nothing to remember, and would take the place of what is offered.
        return not state.typed or str(found.cwd) == str(session.root)

    def status(self, session: LiveSession) -> StatusLine:
        try:
            line = status_line(session, self._contexts, self._tabs.standing_in)
        except Unavailable as error:
            # Without the store the line stays as it was, and says that it does.
            log.warning("%s: %s", session.zellij_session, error)
            sent = session.status_sent
            line = sent if isinstance(sent, StatusLine) else StatusLine(tabs=())
        return msgspec.structs.replace(line, warning=self.warning())

    def serve(self, session: LiveSession, message: Message) -> object:
        return self._calls.serve(session, message)

    def ended(self, session: LiveSession, reason: str) -> None:
        log.info("%s: the bridge ended: %s", session.zellij_session, reason)
        sessions.leave(session.server)
        with self._lock:
            if self._sessions.get(session.key) is session:
                del self._sessions[session.key]
        self._grants.mend(session.server.env)  # first: whoever opens Zellij again at once is asked otherwise
        self._note_end(session)

    def _note_end(self, session: LiveSession) -> None:
        if server_key(session.server.pid) == session.key or not session.root:
            return
        crashed = not sessions.ended_by_itself(session.server.env, session.server.session)
        try:
            self._ledger.ended(session.key, crashed=crashed)
        except ZdriverError as error:
            log.warning("%s: its end is not noted: %s", session.zellij_session, error)

    def _committed(self) -> None:
        with self._lock:
            live = list(self._sessions.values())
        for session in live:
            session.status_due()


def _sockets() -> Path:
    return paths.runtime_dir() / "z"


class RootOf(Protocol):
    def __call__(self, cwd: str) -> str: ...
