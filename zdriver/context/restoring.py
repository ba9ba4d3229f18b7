"""Bringing a snapshot back, as users ask for it: `api.RestoreApi`."""

from __future__ import annotations

from collections.abc import Callable

from zdriver.context import keeping
from zdriver.context.api import ContextApi
from zdriver.context.elsewhere import NOWHERE, Elsewhere
from zdriver.context.ledger import Candidate, Ledger, is_running
from zdriver.context.model import Place, RestorePlan, RestoreReport, SnapshotContent, UndoReport
from zdriver.context.restorer import Restorer, Snapshots
from zdriver.context.terminal import Terminal, Terminals
from zdriver.context.undoing import undo
from zdriver.context.welcoming import welcome
from zdriver.core import requests
from zdriver.core.clock import Clock, to_datetime
from zdriver.core.errors import InvalidInput, NotFound, Unavailable


class RestoreService:
    """Implements `api.RestoreApi`."""

    def __init__(
        self,
        ledger: Ledger,
        snapshots: Snapshots,
        terminals: Terminals,
        restorer: Restorer,
        contexts: ContextApi,
        *,
        root_of: Callable[[str], str],
        clock: Clock,
        elsewhere: Elsewhere = NOWHERE,
    ) -> None:
        self._ledger = ledger
        self._snapshots = snapshots
        self._terminals = terminals
        self._restorer = restorer
        self._contexts = contexts
        self._root_of = root_of
        self._clock = clock
        self._elsewhere = elsewhere

    # ---- api.RestoreApi -----------------------------------------------------------------

    def plan(self, generation: int = 0, *, place: Place) -> RestorePlan:
        terminal = self._terminals.find(place.zellij_session) if place.zellij_session else None
        left = None if generation else self._elsewhere.newest(self._root(place))
        if left is not None and left.layout is not None:  # `apply` makes a generation of it first
            panes = self._restorer.planned(left.layout, terminal)
            return RestorePlan(zellij_session=left.label, generation=0, panes=panes)
        content = self._content(generation, place)
        panes = self._restorer.planned(content.layout, terminal)
        if terminal is not None:
            panes = keeping.mark(panes, self._restorer.kept(content, terminal))
        return RestorePlan(
            zellij_session=content.info.zellij_session, generation=content.info.generation, panes=panes
        )

    def apply(
        self, generation: int = 0, *, place: Place, replace: bool = False, request: str = ""
    ) -> RestoreReport:
        terminal = self._terminal(place)
        digest = requests.digest("restore", generation, place, replace) if request else ""

        def do() -> RestoreReport:
            if not generation:
                self._elsewhere.carry_on(self._root(place), into=place.zellij_session)
            content = self._content(generation, place)
            if replace:
                report = self._restorer.replace_if_other(terminal, content)
                if report.id:  # the pane in which it was asked for is gone, and its answer with it
                    welcome(terminal, self._contexts, report, to_datetime(self._clock()))
                return report
            return self._restorer.restore(terminal, content, "new_tabs")

        with terminal.exclusive():
            return self._ledger.once(request, digest, RestoreReport, do)

    def undo(self, *, place: Place, request: str = "") -> UndoReport:
        terminal = self._terminal(place)
        digest = requests.digest("undo", place) if request else ""
        with terminal.exclusive():
            return self._ledger.once(
                request, digest, UndoReport, lambda: undo(terminal, self._ledger, self._restorer)
            )

    def dismiss(self, *, place: Place) -> None:
        root = self._root(place)
        for candidate in self._closed(root):
            self._ledger.dismiss(candidate.generation)

    # ---- finding out what is meant ------------------------------------------------------

    def _terminal(self, place: Place) -> Terminal:
        if not place.zellij_session:
            raise InvalidInput(
                "panes are restored into a Zellij session, and this is none",
                hint="open `zellij` and run it there",
            )
        terminal = self._terminals.find(place.zellij_session)
        if terminal is None:
            raise Unavailable(
                f'no plugin is connected in Zellij session "{place.zellij_session}"',
                hint="`zdriver doctor` says why",
            )
        return terminal

    def _root(self, place: Place) -> str:
        terminal = self._terminals.find(place.zellij_session) if place.zellij_session else None
        return terminal.root if terminal is not None and terminal.root else self._root_of(place.cwd)

    def _content(self, generation: int, place: Place) -> SnapshotContent:
        """The generation meant; 0: the newest of a Zellij session of this root that is closed."""
        if generation:
            return self._snapshots.show(generation)
        root = self._root(place)
        for candidate in self._closed(root):
            if candidate.zellij_session != place.zellij_session:
                return self._snapshots.show(candidate.generation)
        raise NotFound(
            f"nothing to restore: no closed Zellij session of {root} is known",
            hint="`zdriver snapshot list` shows every generation; restore one by its number",
        )

    def _closed(self, root: str) -> list[Candidate]:
        """Zellij sessions of a root whose server is gone, the newest first."""
        last = self._ledger.last_servers()
        found = []
        for candidate in self._ledger.candidates(root=root, name=""):
            server = last.get(candidate.zellij_session)
            if server is None or not is_running(server):
                found.append(candidate)
        return found
