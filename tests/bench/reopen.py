"""A killed Zellij opened again: how long until its panes and their commands are back."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from tests.bench.measure import percentile
from tests.bench.report import Figure, misses
from tests.bench.world import World
from zdriver.testing import Session, Terminal, processes, until
from zdriver.testing.panes import sessions

#: (tabs, panes in each, seconds after the grant)
SIZES = ((2, 5, 0.2), (5, 8, 0.6))
ROUNDS = 3


def reopen(world: World) -> Iterator[Figure]:
    world.daemon().close()
    for tabs, each, target in SIZES:
        count = tabs * each
        ours: list[float] = []
        limit: list[float] = []
        for turn in range(ROUNDS):
            # A folder of its own: beside what was there before, zdriver would ask, not restore.
            folder = world.home.path / f"n{count}-{turn}"
            folder.mkdir()
            (folder / "layout.kdl").write_text(_layout(folder, tabs, each))
            limit.append(_first(world, folder, count))
            ours.append(_again(world, folder, count))
        yield Figure(
            what=f"reopened: plugin loaded to {count} panes back",
            unit="s",
            ours=percentile(ours, 50),
            tail=max(ours),
            limit=percentile(limit, 50),
            against="Zellij opening the same panes from a layout, from its start on",
            target=f"<= {target:g}",
            misses=misses(restore=percentile(ours, 50) <= target),
        )


def _layout(folder: Path, tabs: int, each: int) -> str:
    """Every pane has a command of its own, so that each can be told from the others."""
    lines = ["layout {", f'    cwd "{folder}"']
    for tab in range(tabs):
        lines.append(f'    tab name="t{tab}" {{')
        for pane in range(each):
            lines.append(
                f'        pane name="p{pane}" command="sleep" {{ args "{1000 + tab * each + pane}"; }}'
            )
        lines.append("    }")
    return "\n".join([*lines, "}", ""])


def _sleeping(session: Session) -> int:
    """How many `sleep`s run below the server: in a pane, or in a pane's shell."""
    panes = processes.children(session.server_pid())
    below = [*panes, *(child for pane in panes for child in processes.children(pane))]
    return sum(processes.argv(pid)[:1] == ("sleep",) for pid in below)


def _first(world: World, folder: Path, count: int) -> float:
    """Open the layout, wait for zdriver's snapshot of it, kill it: seconds until all ran."""
    began = time.perf_counter()
    name = folder.name
    with _terminal(world, folder, "--new-session-with-layout", "layout.kdl", "-s", name) as terminal:
        session = Session(world.home, name)
        until(lambda: _sleeping(session) == count, what="the commands", deadline=60, every=0.005)
        seconds = time.perf_counter() - began
        with world.daemon() as driver:

            def kept() -> bool:
                found = driver.snapshot.list(zellij_session=name, limit=1)
                return bool(found) and found[0].panes == count

            until(kept, what=f"a snapshot of {count} panes", deadline=30, shows=terminal.screen)
        session.kill_server()
        terminal.wait_ended()
    return seconds


def _again(world: World, folder: Path, count: int) -> float:
    """Seconds from the plugin's loading (its grant comes some 20 ms later) until every command runs."""
    before = set(sessions(world.home))
    with _terminal(world, folder) as terminal:
        new = until(lambda: set(sessions(world.home)) - before, what="a session", deadline=30, every=0.002)
        session = Session(world.home, new.pop())
        shows = terminal.screen
        until(
            lambda: _sleeping(session) == count, what=f"{count} panes", deadline=60, every=0.002, shows=shows
        )
        back = time.time()
        session.kill_server()
        terminal.wait_ended()
    return back - _loaded(world)


def _loaded(world: World) -> float:
    """When Zellij last loaded the plugin, from its log: seconds since the epoch."""
    lines = re.findall(r"\| (\S+ \S+) \[.*Loaded plugin '.*zdriver\.wasm'", world.home.zellij_log.read_text())
    return datetime.strptime(lines[-1], "%Y-%m-%d %H:%M:%S.%f").timestamp()


def _terminal(world: World, folder: Path, *words: str) -> Terminal:
    argv = [world.home.zellij, *words]
    return Terminal(argv, env=world.home.env, cwd=folder, rows=60, columns=200)
