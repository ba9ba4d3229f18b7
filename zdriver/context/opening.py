"""A Zellij session was opened: find out what was there before, decide, do it, and say so.

The decision itself is `choosing.choose`, a pure function; this gathers its facts and
carries it out.
"""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Callable

from zdriver.context import choosing
from zdriver.context.api import ContextApi
from zdriver.context.banner import offer_lines
from zdriver.context.elsewhere import NOWHERE, Elsewhere
from zdriver.context.ledger import Candidate, Ledger, SeenServer, is_running
from zdriver.context.model import IMPORTED, TAKEN_OVER, Place, RestoreReport, SnapshotContent, SnapshotInfo
from zdriver.context.restorer import Restorer, Snapshots
from zdriver.context.terminal import Clients, Terminal, Terminals
from zdriver.context.welcoming import welcome
from zdriver.core.clock import Clock, to_datetime
from zdriver.core.errors import Conflict, NotFound, StoreDamaged, Unavailable, ZdriverError

log = logging.getLogger(__name__)

ASK_TIMEOUT = 1.0  #: seconds another session gets to say who is attached
ASK_WAIT = 4.0  #: seconds in which it is asked again: its pipes may just be opened anew
#: Seconds after the daemon's start in which the plugins of sessions that live on attach again.
REJOIN = 5.0
SWITCH_TIMEOUT = 3.0  #: seconds a client gets to go over
BANNER_SECONDS = 20
OFFER_SECONDS = 0  #: stays until a key


class Openings:
    def __init__(
        self,
        ledger: Ledger,
        snapshots: Snapshots,
        contexts: ContextApi,
        restorer: Restorer,
        terminals: Terminals,
        *,
        policy: Callable[[], choosing.Policy],
        ended_by_itself: Callable[[SeenServer], bool],
        clock: Clock,
        elsewhere: Elsewhere = NOWHERE,
    ) -> None:
        self._ledger = ledger
        self._snapshots = snapshots
        self._contexts = contexts
        self._restorer = restorer
        self._terminals = terminals
        self._policy = policy
        self._ended_by_itself = ended_by_itself
        self._clock = clock
        self._elsewhere = elsewhere
        self._begun = time.monotonic()
        #: Server's key → what its banner offers. Lost with the daemon, as is the banner's use.
        self._offers: dict[str, choosing.Decision] = {}

    def opened(self, terminal: Terminal) -> choosing.Decision:
        """Decide about a session at its first state, and do it. Within `terminal.exclusive()`."""
        self._note_ends()
        self._await_others(terminal)
        live = self._live(terminal)
        if not any(each.root == terminal.root for each in live):  # else it goes on here
            self._elsewhere.carry_on(terminal.root, into=terminal.zellij_session)
        opening = _opening(terminal)  # last: to ask the others may have taken a while
        decision = choosing.choose(
            opening,
            live,
            self._closed(terminal),
            self._policy(),
            to_datetime(self._clock()),
        )
        log.info(
            "%s opened in %s: %s (%s)", opening.zellij_session, opening.root, decision.kind, decision.reason
        )
        try:
            self._carry_out(terminal, decision)
        except Conflict as error:  # something was typed meanwhile
            log.info("%s: %s", opening.zellij_session, error)
            self._offer(terminal, decision)
        except Unavailable as error:
            if not terminal.connected:
                raise  # decided anew by what is there once the pipes are back
            log.warning("%s: %s", opening.zellij_session, error)
        self._ledger.decided(terminal.key)
        return decision

    def offered(self, terminal: Terminal) -> int:
        """The generation that the session's banner offers; 0: none."""
        offer = self._offers.get(terminal.key)
        return offer.generation if offer is not None else 0

    def dismissed(self, terminal: Terminal, generation: int) -> None:
        """The user declined a generation, 0: the offered one. It is not offered again."""
        generation = generation or self.offered(terminal)
        self._offers.pop(terminal.key, None)
        if generation:
            self._ledger.dismiss(generation)

    def chosen(self, terminal: Terminal, generation: int) -> RestoreReport:
        """The user picked a generation from the list, 0: took the offered one. Raises NotFound."""
        with terminal.exclusive():
            terminal.layout()
            offer, replaces = self._offers.pop(terminal.key, None), False
            if not generation:
                if offer is None:
                    raise NotFound("nothing is offered here any more", hint="choose from the list")
                # As it was offered, however long ago: no key was pressed here since, but once Zellij has
                # saved the session anew, nothing else tells that it had brought it back.
                generation, replaces = offer.generation, offer.how == "replace"
            content = self._snapshots.show(generation)
            how = choosing.how_to_apply(_opening(terminal))
            if how == "new_tabs" and (replaces or self._is_own_last(terminal, content)):
                how = "replace"
            return self._restore(terminal, content, how)

    def _is_own_last(self, terminal: Terminal, content: SnapshotContent) -> bool:
        """Whether Zellij has just brought the same session back: its panes stand for ours."""
        return (
            terminal.resurrected_us() is not None
            and content.info.zellij_session == terminal.zellij_session
            and not self._ledger.restores(terminal.key)
        )

    # ---- facts --------------------------------------------------------------------------

    def _note_ends(self) -> None:
        """Servers that ended while no daemon watched."""
        for server in self._ledger.open_servers():
            if not is_running(server):
                self._ledger.ended(server.key, crashed=not self._ended_by_itself(server))

    def _await_others(self, terminal: Terminal) -> None:
        """A daemon that has just started may not have met the sessions of this root that live on."""

        def all_back() -> bool:
            return all(
                (other := self._terminals.find(server.name)) is not None and other.key == server.key
                for server in self._ledger.open_servers()
                if server.root == terminal.root and server.key != terminal.key and is_running(server)
            )

        left = self._begun + REJOIN - time.monotonic()
        if left > 0 and not terminal.settle(all_back, timeout=left):
            log.warning("%s: a session of %s did not attach again", terminal.zellij_session, terminal.root)

    def _live(self, terminal: Terminal) -> list[choosing.Live]:
        found = []
        for server in self._ledger.open_servers():
            if server.key == terminal.key:
                continue
            found.append(
                choosing.Live(
                    zellij_session=server.name,
                    root=server.root,
                    clients=self._clients(server, terminal),
                    seen_at=to_datetime(server.opened_at),
                )
            )
        return found

    def _clients(self, server: SeenServer, opened: Terminal) -> int | None:
        """Terminals attached to another session; None where it cannot be asked.

        One of another root is none to go over to: it counts as in use.
        """
        if server.root != opened.root:
            return 1
        answer: int | None = None

        def answered() -> bool:
            nonlocal answer
            other = self._terminals.find(server.name)
            if other is None or other.key != server.key:
                return False
            try:
                answer = other.request("clients", {}, Clients, timeout=ASK_TIMEOUT).count
            except ZdriverError as error:
                log.warning("%s: %s", server.name, error)
            return answer is not None

        if not opened.settle(answered, timeout=ASK_WAIT):
            log.warning("%s: not known whether somebody is attached to it", server.name)
        return answer

    def _closed(self, terminal: Terminal) -> list[choosing.Closed]:
        last = self._ledger.last_servers(beside=terminal.key)
        dismissed = self._ledger.dismissed()
        carried_on = self._ledger.carried_on()
        found = []
        for candidate in self._ledger.candidates(root=terminal.root, name=terminal.zellij_session):
            info = self._readable(candidate)
            if info is None:
                continue
            server = last.get(info.zellij_session)
            ended = server.ended_at if server is not None else None
            found.append(
                choosing.Closed(
                    zellij_session=info.zellij_session,
                    root=info.root,
                    generation=info.generation,
                    taken_at=info.taken_at,
                    panes=info.panes,
                    opened_at=to_datetime(server.opened_at) if server is not None else None,
                    closed_at=to_datetime(ended) if ended is not None else None,
                    crashed=server.crashed if server is not None else False,
                    dismissed=info.generation in dismissed,
                    restored=info.generation <= carried_on.get(info.zellij_session, 0),
                    elsewhere=info.reason in (TAKEN_OVER, IMPORTED),
                )
            )
        return found

    def _readable(self, candidate: Candidate) -> SnapshotInfo | None:
        """The candidate, or where it is damaged the newest good one before it."""
        try:
            return self._snapshots.show(candidate.generation).info
        except (NotFound, StoreDamaged) as error:
            log.warning("generation %d: %s", candidate.generation, error)
        good = self._snapshots.latest_good(zellij_session=candidate.zellij_session)
        return good.info if good is not None else None

    # ---- doing it -----------------------------------------------------------------------

    def _carry_out(self, terminal: Terminal, decision: choosing.Decision) -> None:
        if decision.kind == "switch":
            if not self._switch(terminal, decision.zellij_session):
                self._offer(terminal, decision)
        elif decision.kind == "restore":
            content = self._snapshots.show(decision.generation)
            self._restore(terminal, content, decision.how)
        elif decision.kind == "offer":
            self._offer(terminal, decision)

    def _restore(self, terminal: Terminal, content: SnapshotContent, how: choosing.How) -> RestoreReport:
        if how == "replace":
            report = self._restorer.replace(terminal, content)
        else:
            report = self._restorer.restore(
                terminal, content, "override" if how == "override" else "new_tabs"
            )
        log.info(
            "%s: %d panes of generation %d restored, %d failed",
            terminal.zellij_session,
            report.restored,
            report.generation,
            len(report.failed),
        )
        welcome(terminal, self._contexts, report, to_datetime(self._clock()))
        return report

    def _offer(self, terminal: Terminal, decision: choosing.Decision) -> None:
        if not decision.generation:
            lines = [f'Zellij session "{decision.zellij_session}" of this folder still runs']
            lines.append(f"attach to it: zellij attach {shlex.quote(decision.zellij_session)}")
            terminal.notify("banner", {"lines": lines, "keys": "", "seconds": BANNER_SECONDS})
            return
        content = self._snapshots.show(decision.generation)
        whose = content.info.zellij_session
        if content.info.reason == TAKEN_OVER:  # its panes are offered, its intent is carried on here
            whose = terminal.zellij_session
        place = Place(cwd=content.info.root, zellij_session=whose)
        lines = offer_lines(
            self._contexts.intent(place=place),
            self._contexts.milestones(place=place, limit=3),
            content.info.panes,
            content.info.taken_at,
            to_datetime(self._clock()),
        )
        self._offers[terminal.key] = decision
        terminal.notify(
            "banner",
            {"lines": lines, "keys": "restore", "seconds": OFFER_SECONDS},
        )

    def _switch(self, terminal: Terminal, target: str) -> bool:
        """Take the client over to the session that still runs, and end the blank one.

        False when the client stays.
        """
        terminal.notify("switch", {"zellij_session": target})
        deadline = time.monotonic() + SWITCH_TIMEOUT

        def gone() -> bool:
            try:
                return terminal.request("clients", {}, Clients, timeout=ASK_TIMEOUT).count == 0
            except Unavailable as error:  # a client that leaves may take the pipes along for a moment
                log.info("%s: %s", terminal.zellij_session, error)
                return False

        if not terminal.settle(gone, timeout=max(0.0, deadline - time.monotonic())):
            log.warning("%s: its client did not go over to %s", terminal.zellij_session, target)
            return False
        state = terminal.capture.state
        if state is not None and not state.typed:  # else somebody has begun to use it
            terminal.end()
        return True


def _opening(terminal: Terminal) -> choosing.Opening:
    state = terminal.capture.state
    assert state is not None
    shown = [pane for pane in state.panes if not pane.is_plugin]
    processes = terminal.capture.processes
    idle = all(
        pane.id in processes and not processes[pane.id].argv and pane.command is None for pane in shown
    )
    resurrected = terminal.resurrected_us()
    return choosing.Opening(
        zellij_session=terminal.zellij_session,
        root=terminal.root,
        clients=state.clients,
        tabs=len(state.tabs),
        panes=len(shown),
        idle=idle,
        typed=state.typed,
        own_layout=terminal.own_layout(),
        resurrected_at=to_datetime(resurrected) if resurrected is not None else None,
    )
