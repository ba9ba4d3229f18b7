"""Take back what the newest restore made: only panes of its own, and only those nobody uses."""

from __future__ import annotations

import re
from pathlib import Path

from zdriver.context.capturing import is_unused
from zdriver.context.ledger import Ledger
from zdriver.context.model import UndoReport
from zdriver.context.restorer import Restorer
from zdriver.context.terminal import Closed, Terminal
from zdriver.core.errors import NotFound

#: Programs that are known by the script they run.
_INTERPRETER = re.compile(r"(python|ruby|perl|node|bash|sh)[0-9.]*\Z")


def undo(terminal: Terminal, ledger: Ledger, restorer: Restorer) -> UndoReport:
    """Within `terminal.exclusive()`. Raises NotFound when nothing was restored into it."""
    last = next(iter(ledger.restores(terminal.key)), None)
    if last is None:
        raise NotFound(
            f'nothing was restored into Zellij session "{terminal.zellij_session}"',
            hint="undo takes back what `restore` did",
        )
    terminal.layout()  # the newest state
    state = terminal.capture.state
    assert state is not None
    there = {pane.id: pane.tab for pane in state.panes if not pane.is_plugin}
    closing: list[int] = []
    kept: list[str] = []
    for pane in last.panes:
        if pane.terminal not in there:
            continue
        use = _use(terminal, pane.terminal)
        if use:
            name = pane.plan.name or f"{pane.plan.pane_index + 1}"
            kept.append(f"tab {there[pane.terminal] + 1} · pane {name}: {use}")
        else:
            closing.append(pane.terminal)
    if closing and len(closing) == len(there):
        restorer.blank_tab(terminal)  # the last pane would take the Zellij session with it
    if closing:
        terminal.request("close", {"panes": closing, "tabs": []}, Closed, timeout=5.0)
    if not kept:
        ledger.undone(last.id)
    ledger.dismiss(last.generation)
    return UndoReport(restore=last.id, closed=len(closing), kept=tuple(kept))


def _program(argv: tuple[str, ...]) -> str:
    """As its user calls it: `zdriver`, not the python that runs it."""
    name = Path(argv[0]).name
    if _INTERPRETER.match(name) and len(argv) > 1 and argv[1].startswith("/"):
        return Path(argv[1]).name
    return name


def _use(terminal: Terminal, id_: int) -> str:
    """What somebody does in a pane; "" when nothing."""
    found = terminal.capture.processes.get(id_)
    state = terminal.capture.state
    pid = state.pids.get(id_, 0) if state is not None else 0
    if found is None or not pid:
        return ""  # suspended, or it has ended
    if found.argv:
        return f"{_program(found.argv)} runs in it"
    return "" if is_unused(pid) else "a job of its shell is still there"
