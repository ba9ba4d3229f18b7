"""What shall become of each pane of a snapshot, and the request that makes it so.

    plan(layout, policy, facts) -> tuple[PanePlan, …]           one per terminal pane
    wanted_folders(layout) -> frozenset[str]                    what the caller looks up for `facts`
    planned_layout(layout, plan) -> Layout                      the layout that should come out
    apply_request(layout, plan, mode, render=…, shell=…) -> ApplyRequest
    banner_lines(intent, milestones, report, now) -> list[str]
    offer_lines(intent, milestones, panes, taken_at, now) -> list[str]

`render` is `zellij.kdl.render_layout`: rules know the layout, not its text.
Which rule decided is in each `PanePlan.reason`; the rules stand in `_RULES`, in their order.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from zdriver.context.banner import banner_lines, offer_lines
from zdriver.context.layout import Layout, Pane, Split, making_order, terminals
from zdriver.context.model import Action, PanePlan
from zdriver.context.programs import agent_of, resume_argv, runs_by_itself, session_in, shell_idle
from zdriver.context.quoting import fits, quote

__all__ = [
    "ApplyRequest",
    "CommandPolicy",
    "Facts",
    "Write",
    "apply_request",
    "banner_lines",
    "offer_lines",
    "plan",
    "planned_layout",
    "wanted_folders",
]


class CommandPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`[restore.commands]`: program names as argv[0] has them, or full paths. No patterns."""

    run: tuple[str, ...] = ()
    suspend: tuple[str, ...] = ()
    never: tuple[str, ...] = ()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller looked up."""

    folders: frozenset[str]  #: those of `wanted_folders` that exist
    sessions: Mapping[tuple[int, int], str] = {}  #: (tab, pane) → exact session id of its agent
    shell: str = ""  #: the shell that new panes start, e.g. "/bin/bash"
    keep: bool = False  #: the panes are there already (Zellij made them): leave all


def plan(layout: Layout, policy: CommandPolicy, facts: Facts) -> tuple[PanePlan, ...]:
    """One entry per terminal pane, tab by tab, in the order of `layout.terminals`."""
    return tuple(
        _Pane(pane, policy, facts, (tab_index, pane_index)).plan(tab.name)
        for tab_index, tab in enumerate(layout.tabs)
        for pane_index, pane in enumerate(terminals(tab))
    )


def wanted_folders(layout: Layout) -> frozenset[str]:
    """Every cwd of the layout and every folder above one."""
    found: set[str] = set()
    for cwd in {pane.cwd for tab in layout.tabs for pane in terminals(tab)}:
        while cwd.startswith("/") and cwd not in found:
            found.add(cwd)
            cwd = posixpath.dirname(cwd)
    return frozenset(found)


class _Pane:
    """One pane, while it is decided about."""

    def __init__(self, pane: Pane, policy: CommandPolicy, facts: Facts, at: tuple[int, int]) -> None:
        self.pane = pane
        self.argv = pane.command
        self.policy = policy
        self.facts = facts
        self.at = at
        self.cwd = _nearest(pane.cwd, facts.folders)
        self.moved = bool(pane.cwd) and self.cwd != pane.cwd
        self.agent = agent_of(pane.command)
        #: Only an id that is known exactly: "the latest in this folder" may be another one's.
        self.session = session_in(self.agent, pane.command) or facts.sessions.get(at, "")

    def plan(self, tab: str) -> PanePlan:
        action, reason, command = self._decide()
        if self.moved:
            reason = f"{reason}; {self.pane.cwd} is gone, so in {self.cwd}"
        return PanePlan(
            tab=tab,
            name=self.pane.name,
            cwd=self.cwd,
            command=command,
            action=action,
            reason=reason,
            tab_index=self.at[0],
            pane_index=self.at[1],
        )

    def _decide(self) -> tuple[Action, str, tuple[str, ...]]:
        if self.facts.keep:
            return "keep", "Zellij has brought it back already", self.argv
        for rule in _RULES:
            if (found := rule(self)) is not None:
                action, reason = found
                break
        command = self._command(action)
        if action in ("run", "resume"):
            if self.moved:
                # the program would not find its files, or others of the same name
                return "suspended", f"its folder is gone ({reason})", command
            if not fits(quote(command, self.facts.shell) + "\n"):
                return "suspended", "its command line is too long to be typed", command
        return action, reason, command

    def _command(self, action: Action) -> tuple[str, ...]:
        if action == "shell":
            return ()
        if action == "resume":
            return resume_argv(self.agent, self.argv, self.session)
        return self.argv

    def listed(self, names: Sequence[str]) -> str:
        """The entry of `names` that is this pane's program: its full path, or its name."""
        program = self.argv[0].removeprefix("-") if self.argv else ""
        for name in names:
            if name and name in (program, program.rsplit("/", 1)[-1]):
                return name
        return ""


_Found = tuple[Action, str] | None


def _no_command(pane: _Pane) -> _Found:
    return None if pane.argv and pane.argv[0] else ("shell", "a shell")


def _redacted(pane: _Pane) -> _Found:
    if not pane.pane.redacted:
        return None
    return "shell", f"a secret was cut from the command line of {_name(pane)}"


def _never(pane: _Pane) -> _Found:
    name = pane.listed(pane.policy.never)
    return ("shell", f"{name} is in `never` of [restore.commands]") if name else None


def _idle_shell(pane: _Pane) -> _Found:
    return ("shell", "a shell") if shell_idle(pane.argv) else None


def _suspend(pane: _Pane) -> _Found:
    name = pane.listed(pane.policy.suspend)
    return ("suspended", f"{name} is in `suspend` of [restore.commands]") if name else None


def _ended(pane: _Pane) -> _Found:
    return ("suspended", f"{_name(pane)} had ended") if pane.pane.exited else None


def _resume(pane: _Pane) -> _Found:
    if not pane.agent or not pane.session:
        return None
    return "resume", f"{pane.agent} session {pane.session}"


def _run(pane: _Pane) -> _Found:
    name = pane.listed(pane.policy.run)
    return ("run", f"{name} is in `run` of [restore.commands]") if name else None


def _agent(pane: _Pane) -> _Found:
    if not pane.agent:
        return None
    return "suspended", f"the session id of this {pane.agent} is not known"


def _built_in(pane: _Pane) -> _Found:
    runs, reason = runs_by_itself(pane.argv)
    return "run" if runs else "suspended", reason


def _name(pane: _Pane) -> str:
    return pane.argv[0].rsplit("/", 1)[-1]


#: The first that has an opinion decides; the last one always has.
_RULES: tuple[Callable[[_Pane], _Found], ...] = (
    _no_command,
    _redacted,
    _never,
    _idle_shell,
    _suspend,
    _ended,
    _resume,
    _run,
    _agent,
    _built_in,
)


def _nearest(cwd: str, folders: frozenset[str]) -> str:
    """`cwd`, else the nearest folder above it that exists; "" where none is known."""
    while cwd.startswith("/"):
        if cwd in folders or cwd == "/":
            return cwd
        cwd = posixpath.dirname(cwd)
    return ""


# ---------------------------------------------------------------- the request


class Write(msgspec.Struct, frozen=True, kw_only=True):
    """Text to type into a pane once its shell is up."""

    tab: int
    pane: int
    text: str


class ApplyRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of the bridge's `apply` (docs/bridge.md)."""

    mode: Literal["override", "new_tabs", "replace"]
    kdl: str
    layout_file: str | None = None  #: path of a file with `kdl`, without the `.kdl` of its name
    focus_tab: int | None
    close_tabs: tuple[int, ...]
    writes: tuple[Write, ...]
    expect: tuple[int, ...]
    order: tuple[tuple[int, ...], ...]  #: per tab, per pane: as which one Zellij starts it
    timeout: float  #: seconds


Render = Callable[..., str]


def planned_layout(layout: Layout, panes: Sequence[PanePlan]) -> Layout:
    """`layout` as the plan wants it: other cwds, other commands, panes that are skipped left out."""
    plans = {(each.tab_index, each.pane_index): each for each in panes}
    tabs = []
    for at, tab in enumerate(layout.tabs):
        # tiled in order, then floating: the order in which `terminals` counts
        order = iter([plans.get((at, index)) for index in range(len(terminals(tab)))])
        tiled = _planned(tab.tiled, order)
        floating = tuple(pane for pane in _planned(tab.floating, order) if isinstance(pane, Pane))
        tabs.append(msgspec.structs.replace(tab, tiled=tiled, floating=floating))
    return Layout(tabs=tuple(tabs), tail=layout.tail)


def apply_request(
    layout: Layout,
    panes: Sequence[PanePlan],
    mode: Literal["override", "new_tabs", "replace"],
    *,
    render: Render,
    shell: str = "",
    close_tabs: tuple[int, ...] = (),
    timeout: float = 10.0,
    contents: Mapping[str, str] | None = None,
) -> ApplyRequest:
    """What to send to the plugin. Raises what `render` raises.

    contents   by `Pane.contents`, the path of the file with what the pane showed
    """
    wanted = planned_layout(layout, panes)
    actions: dict[tuple[int, int], Action] = {}
    writes: list[Write] = []
    for tab, pane, each in _placed(panes):
        actions[tab, pane] = each.action
        if each.action in ("run", "resume") and each.command:
            writes.append(Write(tab=tab, pane=pane, text=quote(each.command, shell) + "\n"))
    return ApplyRequest(
        mode=mode,
        kdl=render(wanted, actions=actions, contents=contents or {}),
        focus_tab=next((at for at, tab in enumerate(wanted.tabs) if tab.focus), None),
        close_tabs=close_tabs if mode == "replace" else (),
        writes=tuple(writes),
        expect=tuple(len(terminals(tab)) for tab in wanted.tabs),
        order=tuple(making_order(tab) for tab in wanted.tabs),
        timeout=timeout,
    )


def _placed(panes: Sequence[PanePlan]) -> list[tuple[int, int, PanePlan]]:
    """Each pane that is made, with its index once those skipped are gone."""
    placed = []
    made: dict[int, int] = {}
    for each in sorted(panes, key=lambda p: (p.tab_index, p.pane_index)):
        if each.action != "skip":
            index = made.get(each.tab_index, 0)
            made[each.tab_index] = index + 1
            placed.append((each.tab_index, index, each))
    return placed


def _planned(nodes: tuple[Pane | Split, ...], order: Iterator[PanePlan | None]) -> tuple[Pane | Split, ...]:
    kept: list[Pane | Split] = []
    for node in nodes:
        if isinstance(node, Split):
            if children := _planned(node.children, order):
                kept.append(msgspec.structs.replace(node, children=children))
        elif node.plugin is not None or (each := next(order)) is None:
            kept.append(node)
        elif each.action != "skip":
            kept.append(msgspec.structs.replace(node, cwd=each.cwd, command=each.command))
    return tuple(kept)
