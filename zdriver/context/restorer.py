"""Make a snapshot's panes in a live Zellij session, look what came out, and note it.

What becomes of each pane is decided in `planning`; here it is carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from zdriver.context import keeping
from zdriver.context.api import ContextApi, SnapshotApi
from zdriver.context.capturing import is_idle_shell
from zdriver.context.comparing import digest
from zdriver.context.contentfiles import content_files
from zdriver.context.contents import Packed, pack_scrollback
from zdriver.context.layout import Layout, Pane, Tab, terminals
from zdriver.context.ledger import Ledger, MadePane
from zdriver.context.model import PaneFailure, PanePlan, RestoreReport, SnapshotContent, SnapshotInfo
from zdriver.context.names import Names
from zdriver.context.planning import CommandPolicy, Facts, apply_request, plan, wanted_folders
from zdriver.context.terminal import Applied, Terminal, Terminals
from zdriver.core import platform, tty

Mode = Literal["override", "new_tabs", "replace"]

APPLY_TIMEOUT = 10.0  #: seconds the plugin may take to make and fill the panes
SETTLE_TIMEOUT = 3.0  #: seconds that typed commands get to show up as processes

Render = Callable[..., str]


class Snapshots(SnapshotApi, Protocol):
    def record(
        self,
        zellij_session: str,
        root: str,
        layout: Layout,
        reason: str,
        *,
        scrollback: Mapping[str, Packed] | None = None,
    ) -> SnapshotInfo | None: ...

    def renamed(self, old: str, new: str, *, root: str) -> None: ...

    def scrollback(self, key: str) -> str: ...

    def latest_good(self, *, zellij_session: str = "", root: str = "") -> SnapshotContent | None: ...


class Contexts(ContextApi, Protocol):
    @property
    def names(self) -> Names: ...

    def rebind(self, old: str, new: str, *, root: str = "") -> object:
        """The open contexts of one Zellij session carry on in another (`root`: only the one there)."""
        ...

    def renamed(self, old: str, new: str) -> object:
        """A Zellij session that lives was given another name: its contexts go along."""
        ...


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one pane that was to be made."""

    plan: PanePlan
    terminal: int | None  #: Zellij's terminal id
    wrong: str  #: "" when it is as planned


class Restorer:
    def __init__(
        self,
        ledger: Ledger,
        snapshots: Snapshots,
        contexts: Contexts,
        terminals: Terminals,
        *,
        render: Render,
        policy: Callable[[], CommandPolicy],
    ) -> None:
        self._ledger = ledger
        self._snapshots = snapshots
        self._contexts = contexts
        self._terminals = terminals
        self._render = render
        self._policy = policy

    def restore(self, terminal: Terminal, content: SnapshotContent, mode: Mode) -> RestoreReport:
        """Make what of the snapshot is not there yet. Within `terminal.exclusive()`."""
        panes = self.planned(content.layout, terminal)
        kept = frozenset[int]() if mode == "override" else self.kept(content, terminal)
        layout, missing = keeping.without(content.layout, panes, kept)
        outcomes = self._make(terminal, layout, missing, mode) if missing else []
        return self._report(terminal, content, keeping.mark(panes, kept), outcomes)

    def replace(self, terminal: Terminal, content: SnapshotContent) -> RestoreReport:
        """Make all of the snapshot, then close the tabs that were there. Within `exclusive()`."""
        state = terminal.capture.state
        close = tuple(tab.tab_id for tab in state.tabs) if state is not None else ()
        panes = self.planned(content.layout, terminal)
        return self._report(
            terminal, content, panes, self._make(terminal, content.layout, panes, "replace", close)
        )

    def replace_if_other(self, terminal: Terminal, content: SnapshotContent) -> RestoreReport:
        now = terminal.layout()
        if digest(now) == content.info.digest:
            panes = self.planned(content.layout, terminal)
            return self._report(terminal, content, keeping.mark(panes, range(len(now.tabs))), [])
        name = terminal.zellij_session
        kept = self._snapshots.record(
            name, terminal.root, now, "before-replace", scrollback=terminal.scrollback()
        )
        if kept is None:  # the newest generation shows just that
            newest = self._snapshots.latest_good(zellij_session=name)
            kept = newest.info if newest is not None else None
        report = self.replace(terminal, content)
        return msgspec.structs.replace(report, before=kept.generation if kept is not None else 0)

    def kept(self, content: SnapshotContent, terminal: Terminal) -> frozenset[int]:
        now = terminal.layout()
        state = terminal.capture.state
        there = {pane.id for pane in state.panes if not pane.is_plugin} if state is not None else set()
        alive = {
            pane.plan.tab_index
            for restored in self._ledger.restores(terminal.key)
            if restored.generation == content.info.generation
            for pane in restored.panes
            if pane.terminal in there
        }
        return keeping.kept_tabs(content.layout, now, alive)

    def planned(self, layout: Layout, terminal: Terminal | None) -> tuple[PanePlan, ...]:
        folders = frozenset(folder for folder in wanted_folders(layout) if Path(folder).is_dir())
        shell = _shell_of(terminal) if terminal is not None else ""
        return plan(layout, self._policy(), Facts(folders=folders, shell=shell))

    def _make(
        self,
        terminal: Terminal,
        layout: Layout,
        panes: Sequence[PanePlan],
        mode: Mode,
        close: tuple[int, ...] = (),
    ) -> list[Outcome]:
        with content_files(layout, self._snapshots.scrollback) as files:
            request = apply_request(
                layout,
                panes,
                mode,
                render=self._render,
                shell=_shell_of(terminal),
                close_tabs=close,
                timeout=APPLY_TIMEOUT,
                contents=files.by_key,
            )
            request = msgspec.structs.replace(request, layout_file=files.write_layout(request.kdl))
            # The answer comes when the panes are there, so Zellij has read the files by then.
            applied = terminal.request("apply", request, Applied, timeout=APPLY_TIMEOUT + 2)
            ids = {(pane.tab, pane.pane): pane.id for pane in applied.panes}
            self._hand_over(terminal, layout, ids, files.by_key)
        said = {(each.tab, each.pane): each.reason for each in applied.failed}
        made = [(each, ids.get((each.tab_index, each.pane_index))) for each in panes]
        terminal.settle(lambda: not any(_wrong(terminal, *each) for each in made), timeout=SETTLE_TIMEOUT)
        return [
            Outcome(
                plan=each,
                terminal=id_,
                wrong=said.get((each.tab_index, each.pane_index))
                or ("" if _is_starting(terminal, each, id_) else _wrong(terminal, each, id_)),
            )
            for each, id_ in made
        ]

    def _hand_over(
        self,
        terminal: Terminal,
        layout: Layout,
        ids: Mapping[tuple[int, int], int],
        filled: Collection[str],
    ) -> None:
        """The new panes' texts are known already: one in which an editor runs is not read until it ends."""
        texts: dict[int, Packed] = {}
        for (tab, at), id_ in ids.items():
            key = terminals(layout.tabs[tab])[at].contents
            if key in filled:
                texts[id_] = pack_scrollback(self._snapshots.scrollback(key))
        if texts:
            terminal.adopt_scrollback(texts)

    def _report(
        self,
        terminal: Terminal,
        content: SnapshotContent,
        panes: tuple[PanePlan, ...],
        outcomes: Sequence[Outcome],
    ) -> RestoreReport:
        """Note what was done, and say it. Nothing done, nothing noted."""
        failed = tuple(
            PaneFailure(tab=each.plan.tab, name=each.plan.name, reason=each.wrong)
            for each in outcomes
            if each.wrong
        )
        made = [each for each in panes if each.action != "keep"]  # with the snapshot's own positions
        return RestoreReport(
            id=self._note(terminal, content, made, outcomes) if outcomes else "",
            zellij_session=terminal.zellij_session,
            generation=content.info.generation,
            panes=panes,
            restored=len(outcomes) - len(failed),
            failed=failed,
        )

    def _note(
        self,
        terminal: Terminal,
        content: SnapshotContent,
        plans: Sequence[PanePlan],
        outcomes: Sequence[Outcome],
    ) -> str:
        source = content.info.zellij_session
        # First: once it is noted, the source counts as carried on, and this session must not be
        # killed with nothing kept of it.
        terminal.keep()
        id_ = self._ledger.add_restore(
            server=terminal.key,
            source=source,
            generation=content.info.generation,
            root=terminal.root,
            panes=tuple(
                MadePane(terminal=each.terminal, plan=plan_)
                for each, plan_ in zip(outcomes, plans, strict=True)
                if each.terminal is not None
            ),
            failed=sum(bool(each.wrong) for each in outcomes),
        )
        if source != terminal.zellij_session and self._terminals.find(source) is None:
            self._contexts.rebind(source, terminal.zellij_session)
        return id_

    def blank_tab(self, terminal: Terminal) -> None:
        layout = Layout(tabs=(Tab(focus=True, tiled=(Pane(cwd=terminal.root),)),))
        panes = self.planned(layout, terminal)
        request = apply_request(layout, panes, "new_tabs", render=self._render, timeout=APPLY_TIMEOUT)
        terminal.request("apply", request, Applied, timeout=APPLY_TIMEOUT + 2)


def _wrong(terminal: Terminal, want: PanePlan, id_: int | None) -> str:
    """What about a pane is not as planned; "" when all is."""
    state = terminal.capture.state
    if id_ is None or state is None or id_ not in {pane.id for pane in state.panes if not pane.is_plugin}:
        return "Zellij did not make this pane"
    if want.action == "suspended":
        return ""
    found = terminal.capture.processes.get(id_)
    if found is None:
        return "nothing runs in it"
    if want.action in ("run", "resume"):
        return "" if found.argv else f"{want.command[0]} did not start, or ended at once"
    return f"it is in {found.cwd}" if want.cwd and found.cwd and found.cwd != want.cwd else ""


def _is_starting(terminal: Terminal, want: PanePlan, id_: int | None) -> bool:
    """Whether the command waits in the pane's terminal: its shell takes long to start, and will read it."""
    state = terminal.capture.state
    pid = state.pids.get(id_) if state is not None and id_ is not None else None
    return pid is not None and want.action in ("run", "resume") and tty.unread(tty.path(pid)) > 0


def _shell_of(terminal: Terminal) -> str:
    """The shell that panes of this session start, by one that is idle; "" when there is none."""
    state = terminal.capture.state
    for pid in state.pids.values() if state is not None else ():
        argv = platform.argv(pid)
        if is_idle_shell(argv):
            return argv[0]
    return ""
