"""A daemon killed while Zellij lives: how long until its plugin has brought it back and is connected."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.measure import percentile, timed
from tests.bench.report import Figure, misses
from tests.bench.world import World
from tests.e2e.daemon import ask
from zdriver.testing import Session, Terminal, processes, until

ROUNDS = 7
SESSION = "lives"


def killed(world: World) -> Iterator[Figure]:
    argv = [world.home.zellij, "-s", SESSION]
    ours: list[float] = []
    with Terminal(argv, env=world.home.env, cwd=world.project, rows=40, columns=120) as terminal:
        _wait_connected(world, terminal)
        for _ in range(ROUNDS):
            processes.kill(ask(world.home, "daemon.status")["pid"])
            ours.append(timed(lambda: _wait_connected(world, terminal)))
        Session(world.home, SESSION).kill_server()
        terminal.wait_ended()
    limit: list[float] = []
    for _ in range(ROUNDS):
        world.stop_daemon()
        limit.append(timed(lambda: world.daemon().close()))
    yield Figure(
        what="daemon killed: by itself back and connected",
        unit="s",
        ours=percentile(ours, 50),
        tail=max(ours),
        limit=percentile(limit, 50),
        against="a daemon from nothing to its first answer",
        target="<= 5",
        misses=misses(back=max(ours) <= 5),
    )


def _wait_connected(world: World, terminal: Terminal) -> None:
    """Asking starts no daemon."""
    until(
        lambda: SESSION in (ask(world.home, "bridge.sessions") or ()),
        what="its plugin",
        every=0.005,
        shows=terminal.screen,
    )
