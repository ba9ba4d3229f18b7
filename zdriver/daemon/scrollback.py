"""Read what the panes of one Zellij session show, seldom and gently.

`zellij action dump-screen` needs no permission and no pipe, but Zellij stands still while it
writes the text down: 37 ms for 1,000 lines, 372 ms for 10,000. So only terminals on which
something was printed are read, one at a time with a pause, and no session twice in 30 s.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

import msgspec

from zdriver.context import scrollback
from zdriver.context.capture import PaneState, Processes, State
from zdriver.context.contents import Packed
from zdriver.core import platform, tty
from zdriver.core.errors import Unavailable
from zdriver.zellij.spawn import Breaker, Server, call

log = logging.getLogger(__name__)

EVERY = 30.0  #: seconds between two rounds through a session's panes
DUMP_TIMEOUT = 5.0  #: seconds
ATTEMPTS = 3  #: to read a pane of which a snapshot is taken now
PAUSE = 10  #: times as long as a pane took is waited before the next one …
REST = 100  #: … and until it is read again

#: (server, terminal id) → all that it shows. Raises Unavailable.
Dump = Callable[[Server, int], str]


class _Read(msgspec.Struct, frozen=True):
    at: float  #: seconds since the epoch, before it was read
    ended: bool  #: its command had ended by then
    rest_until: float  #: seconds since the epoch


class Scrollback:
    """One thread at a time. `lines` per pane; 0: nothing is ever read."""

    def __init__(self, server: Server, lines: int, *, dump: Dump | None = None) -> None:
        self.server = server  #: changes when its session is renamed
        self._lines = lines
        # Not the bridge's: a long text must not stop the requests of the session.
        self._breaker = Breaker()
        self._dump = dump or self._ask
        self._reads: dict[int, _Read] = {}
        self._queue: list[int] = []
        self._next_round = 0.0
        self._next_pane = 0.0
        self._fresh = False
        self.kept: dict[str, Packed] = {}  #: by `scrollback.mark`

    def step(self, state: State, processes: Processes) -> bool:
        """Read one pane, if it is time; whether a round has ended that brought something new."""
        now = time.time()
        if not self._lines or now < self._next_pane:
            return False
        if not self._queue:
            if now < self._next_round:
                return False
            self._forget_closed(state)
            self._queue = self._due(state, processes, now)
            if self._queue:
                self._next_round = now + EVERY
        if self._queue:
            self._read(self._queue.pop(0), state, processes)
            self._next_pane = time.time() + PAUSE * (time.time() - now)
        if self._queue or not self._fresh:
            return False
        self._fresh = False
        return True

    def read_all(self, state: State, processes: Processes) -> None:
        """What has changed, now: somebody wants a snapshot, or is about to close the panes."""
        if not self._lines:
            return
        for terminal in self._due(state, processes, time.time(), urgent=True):
            # There is no later round for this one, and a busy Zellij now and then says nothing.
            any(self._read(terminal, state, processes) for _ in range(ATTEMPTS))
        self._queue = []

    def adopt(self, texts: Mapping[int, Packed]) -> None:
        """By terminal id, what panes were made with: good until they are read."""
        if self._lines:
            self.kept.update({scrollback.mark(id_): packed for id_, packed in texts.items()})

    def _forget_closed(self, state: State) -> None:
        there = {pane.id for pane in state.panes if not pane.is_plugin}
        self._reads = {id_: read for id_, read in self._reads.items() if id_ in there}
        names = {scrollback.mark(id_) for id_ in there}
        self.kept = {name: packed for name, packed in self.kept.items() if name in names}

    def _due(self, state: State, processes: Processes, now: float, *, urgent: bool = False) -> list[int]:
        panes = [pane for pane in state.panes if not pane.is_plugin]
        return [
            pane.id
            for pane in panes
            if self._is_due(pane, state, processes)
            and (urgent or pane.id not in self._reads or self._reads[pane.id].rest_until <= now)
        ]

    def _is_due(self, pane: PaneState, state: State, processes: Processes) -> bool:
        """Whether something may have been printed since it was read, that is worth keeping."""
        if pane.held and pane.exit_status is None and not pane.exited:
            return False  # it waits for Enter, and shows nothing but that
        read = self._reads.get(pane.id)
        if pane.exited or pane.held:
            return read is None or not read.ended
        terminal = tty.path(state.pids.get(pane.id, 0))
        written = tty.written_at(terminal) if terminal else None
        if written is None or (read is not None and not scrollback.may_have_changed(read.at, written)):
            return False
        return not self._fills_screen(pane, state, processes)

    def _fills_screen(self, pane: PaneState, state: State, processes: Processes) -> bool:
        """An editor's screen comes back with the editor; what stood there before it is kept."""
        pid = state.pids.get(pane.id, 0)
        if not tty.is_raw(tty.path(pid)):
            return False
        _, argv = processes.get(pane.id, ("", ()))
        found = platform.process(pid)  # a command that came after `processes` was looked up
        return bool(argv) or (found is not None and found.tty_group not in (-1, found.group))

    def _read(self, terminal: int, state: State, processes: Processes) -> bool:
        """Whether to leave it at that: False where Zellij ended the question without a word."""
        pane = next((each for each in state.panes if each.id == terminal and not each.is_plugin), None)
        if pane is None:
            return True
        began = time.time()
        name = scrollback.mark(terminal)
        failed = False
        try:
            text = self._dump(self.server, terminal)
        except Unavailable as error:
            log.warning("%s: what pane %d shows is not known: %s", self.server.session, terminal, error)
            text, failed = "", True
        # Zellij 0.45 sends a client away without an answer when another one leaves meanwhile. And an
        # editor may have come in that moment: it sets the mode before it fills the screen.
        answered = bool(text.strip())
        if answered and self._fills_screen(pane, state, processes):
            return True
        if answered:
            # with and without a frame
            packed = scrollback.keep(text, self._lines, (pane.columns, pane.columns - 2))
            self._fresh = self._fresh or packed.key != self.kept.get(name, Packed("", {})).key
            self.kept[name] = packed
        took = time.time() - began
        ended = answered and (pane.exited or pane.held)
        self._reads[terminal] = _Read(began if answered else 0.0, ended, began + REST * took)
        return answered or failed

    def _ask(self, server: Server, terminal: int) -> str:
        # Only the whole of it can be asked for.
        words = ("action", "dump-screen", "--full", "--pane-id", f"terminal_{terminal}")
        return call(server, "--session", server.session, *words, breaker=self._breaker, timeout=DUMP_TIMEOUT)
