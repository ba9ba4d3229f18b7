"""Follow one Zellij session: what the plugin says, and what /proc says, as one `Layout`.

Zellij reports a changed cwd or command only about a second late, and for a pane that
prints nothing never (facts of 0.45.1). So the processes behind the panes are looked up:
one read of /proc per idle pane, three for a busy one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from zdriver.context.capture import Process, State, build_layout, update_layout
from zdriver.context.layout import Layout
from zdriver.core import platform
from zdriver.core.errors import InvalidInput

SHELLS = frozenset(
    {
        "ash",
        "bash",
        "csh",
        "dash",
        "elvish",
        "fish",
        "ksh",
        "mksh",
        "nu",
        "pwsh",
        "sh",
        "tcsh",
        "xonsh",
        "zsh",
    }
)

#: Terminal id → what runs in its foreground.
Found = dict[int, Process]
#: KDL of a dump → Layout. Raises InvalidInput.
ParseDump = Callable[[str], Layout]


def is_idle_shell(argv: tuple[str, ...]) -> bool:
    """Whether this is a shell that waits for its user: one of the known ones, given no work."""
    if not argv:
        return False
    if PurePosixPath(argv[0]).name.removeprefix("-") not in SHELLS:
        return False
    return all(arg.startswith("-") and not _names_work(arg) for arg in argv[1:])


def _names_work(option: str) -> bool:
    """`-c`, `-ic`, `--command` …: the shell runs something instead of reading a user."""
    if option.startswith("--"):
        return option.startswith(("--command", "--eval"))
    return "c" in option


def look_up(pids: Mapping[int, int]) -> Found:
    """cwd and argv of each pane's foreground process; a pane whose process is gone is left out."""
    found: Found = {}
    for terminal, pid in pids.items():
        leader = platform.foreground(pid)
        if leader == 0:
            continue
        argv = platform.argv(leader)
        # An idle shell of the pane's own, or one that was started inside of it.
        command = () if is_idle_shell(argv) else argv
        cwd = platform.cwd(leader) or platform.cwd(pid)
        if cwd or command:
            found[terminal] = Process(cwd, command)
    return found


def is_unused(pid: int) -> bool:
    """Whether the shell `pid` waits for its user and has no jobs, stopped or in the background."""
    return platform.foreground(pid) == pid and not platform.children(pid)


#: What `glance` saw of each pane; equal means that nothing has changed.
Glances = dict[int, tuple[object, ...]]


def glance(pids: Mapping[int, int]) -> Glances:
    """A cheap look, to find out whether `look_up` would find anything new."""
    seen: Glances = {}
    for terminal, pid in pids.items():
        group, name = platform.glance(pid)
        if group in (0, -1, pid):
            seen[terminal] = (group, name, platform.cwd(pid))
        else:
            seen[terminal] = (group, *platform.glance(group), platform.cwd(group))
    return seen


class Capture:
    """The newest layout of one Zellij session. One thread at a time."""

    def __init__(self, parse_dump: ParseDump, *, mark: bool = False) -> None:
        """`mark`: name each pane's scrollback (`scrollback.mark`), since it is kept, too."""
        self._parse = parse_dump
        self._mark = mark
        self._glances: Glances = {}
        self._dump: Layout | None = None
        self.state: State | None = None
        self.processes: Found = {}
        self.layout: Layout | None = None
        #: The structure is not known: ask the plugin for a dump.
        self.needs_dump = False

    def update(self, state: State) -> bool:
        """Take what the plugin pushed; whether there is a new layout."""
        self.state = state
        self._look(state)
        if state.layout is not None:
            try:
                self._dump = self._parse(state.layout)
            except InvalidInput:
                self._dump = None
            return self._take(build_layout(state, self.processes, self._dump, mark=self._mark))
        return self._again(state)

    def refresh(self) -> bool:
        """Look whether something changed of which Zellij said nothing; whether it did."""
        if self.state is None:
            return False
        before = self.processes
        if glance(self.state.pids) == self._glances:
            return False
        self._look(self.state)
        return before != self.processes and self._again(self.state)

    def _look(self, state: State) -> None:
        # The glance first: what changes between the two is found by the next one.
        self._glances = glance(state.pids)
        self.processes = look_up(state.pids)

    def _again(self, state: State) -> bool:
        known = self.layout or self._dump
        return self._take(
            None if known is None else update_layout(known, state, self.processes, mark=self._mark)
        )

    def _take(self, layout: Layout | None) -> bool:
        self.needs_dump = layout is None
        if layout is None or layout == self.layout:
            return False
        self.layout = layout
        return True
