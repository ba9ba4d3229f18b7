"""Put together what deals with live Zellij sessions: bridges, capture, opening, restore."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from zdriver.context import choosing
from zdriver.context.elsewhere import NOWHERE, Elsewhere
from zdriver.context.ledger import Ledger, SeenServer
from zdriver.context.opening import Openings
from zdriver.context.planning import CommandPolicy
from zdriver.context.restorer import Contexts, Restorer, Snapshots
from zdriver.context.restoring import RestoreService
from zdriver.core.clock import now_us
from zdriver.core.config import Config, load_config
from zdriver.core.runtime import home_folder
from zdriver.daemon.bridges import Bridges
from zdriver.daemon.plugintrees import TreeCalls
from zdriver.daemon.tabs import Tabs
from zdriver.git import worktree_top
from zdriver.hooks.api import HooksApi
from zdriver.storage.host import host_id
from zdriver.storage.port import Store
from zdriver.worktrees.api import WorktreesApi
from zdriver.worktrees.registry import Registry
from zdriver.worktrees.standing import standing
from zdriver.zellij import sessions
from zdriver.zellij.kdl import parse_dump, render_layout


class Terminals(NamedTuple):
    bridges: Bridges
    restores: RestoreService


def assemble_terminals(
    store: Store,
    contexts: Contexts,
    snapshots: Snapshots,
    config: Config,
    *,
    known: Registry,
    worktrees: WorktreesApi,
    hooks: HooksApi,
    elsewhere: Elsewhere = NOWHERE,
) -> Terminals:
    """The bridges are started and stopped by the caller; without a start there is no live session."""
    ledger = Ledger(store, host=host_id())
    bridges = Bridges(
        store,
        ledger,
        contexts,
        snapshots,
        parse_dump=parse_dump,
        capture_enabled=config.capture.enabled,
        scrollback_lines=config.capture.scrollback_lines,
    )
    restorer = Restorer(
        ledger,
        snapshots,
        contexts,
        bridges,
        render=render_layout,
        policy=lambda: _commands(load_config()),
    )
    restores = RestoreService(
        ledger, snapshots, bridges, restorer, contexts, root_of=root_of, clock=now_us, elsewhere=elsewhere
    )
    openings = Openings(
        ledger,
        snapshots,
        contexts,
        restorer,
        bridges,
        policy=lambda: _policy(load_config()),
        ended_by_itself=_ended_by_itself,
        clock=now_us,
        elsewhere=elsewhere,
    )
    tabs = Tabs(root_of, partial(standing, known), _layout)
    bridges.connect(openings, restores, root_of, tabs, TreeCalls(worktrees, hooks, tabs))
    return Terminals(bridges, restores)


def root_of(cwd: str) -> str:
    """The worktree of a folder, else the folder, links resolved."""
    return worktree_top(cwd) or os.path.realpath(cwd)


# The file is read anew each time: a changed `[restore]` counts from the next opening on.


def _policy(config: Config) -> choosing.Policy:
    home = home_folder() or "/"
    return choosing.Policy(
        mode=config.restore.mode,
        max_age=timedelta(days=config.restore.max_age_days),
        broad_roots=frozenset({"/", home, os.path.realpath(home)}),
    )


def _commands(config: Config) -> CommandPolicy:
    given = config.restore.commands
    return CommandPolicy(run=given.run, suspend=given.suspend, never=given.never)


def _layout(type_: str) -> str:
    """The layout of a worktree's tab."""
    named = load_config().worktrees.layout
    return named or ("zdriver-review" if type_ == "review" else "zdriver-agent")


def _ended_by_itself(server: SeenServer) -> bool:
    """For one that ended unwatched: its environment is gone with it, ours is the best guess.

    A machine that was started again took everything down, sockets included.
    """
    return server.is_of_this_boot and sessions.ended_by_itself(os.environ, server.name)
