"""What a plugin's menu asks about worktrees: `g` lists them, `b` makes one, both open its tab."""

from __future__ import annotations

from datetime import datetime

import msgspec

from zdriver.core import caller, platform
from zdriver.core.errors import InvalidInput, Unavailable, ZdriverError
from zdriver.daemon.attaching import Opened
from zdriver.daemon.live import LiveSession
from zdriver.daemon.places import place_of
from zdriver.daemon.tabs import Tabs
from zdriver.hooks.api import HooksApi
from zdriver.worktrees.api import WorktreesApi
from zdriver.worktrees.model import Line
from zdriver.zellij.messages import decode

REVIEW = "review"  #: a type whose worktrees are not made by a name
LIST_MAX = 200  #: rows of a list that go down a pipe at once
#: Typed into the first shell of a new worktree's tab when its repository has such a hook: there it
#: runs if it is approved, and asks if it is not. A blank before it keeps it out of most histories.
HOOK_LINE = " zdriver worktree hooks run post-create\n"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One worktree of the list."""

    name: str
    branch: str
    path: str
    intent: str = ""
    holder: str = ""
    held_until: datetime | None = None  #: in local time
    current: bool = False  #: the pane that asks stands in it
    trunk: bool = False


class Trees(msgspec.Struct, frozen=True, kw_only=True):
    repo: str  #: its trunk's path
    rows: tuple[Row, ...]
    types: tuple[str, ...]  #: that a new one may have


class Made(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    path: str
    created: bool  #: False: it was there already
    warnings: tuple[str, ...] = ()


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    pane: int | None = None


class _New(msgspec.Struct, frozen=True, kw_only=True):
    text: str  #: a type and a name: "feat user auth"
    pane: int | None = None
    request: str = ""


class _Open(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    name: str
    created: bool = False  #: just now, so its hook has not run


class TreeCalls:
    def __init__(self, worktrees: WorktreesApi, hooks: HooksApi, tabs: Tabs) -> None:
        self._worktrees = worktrees
        self._hooks = hooks
        self._tabs = tabs

    def list(self, session: LiveSession, params: msgspec.Raw) -> Trees:
        """Raises NotFound outside of a repository."""
        cwd = _folder(session, decode(params, _Asked).pane)
        lines = self._worktrees.list(cwd=cwd, conditions=False)
        return Trees(
            repo=lines[0].worktree.repo if lines else "",
            rows=tuple(_row(line) for line in lines[:LIST_MAX] if line.worktree.state == "ready"),
            types=tuple(each.name for each in self._worktrees.types() if each.name != REVIEW),
        )

    def add(self, session: LiveSession, params: msgspec.Raw) -> Made:
        """Raises what `worktrees.add` raises."""
        given = decode(params, _New)
        words = given.text.split(maxsplit=1)
        if len(words) < 2:
            raise InvalidInput("a type and a name are needed", hint="as in: feat user auth")
        environ = platform.environ(session.server.pid)
        added = self._worktrees.add(
            words[0],
            words[1],
            cwd=_folder(session, given.pane),
            agent=caller.agent(environ),
            env=caller.environment(environ),
            request=given.request,
        )
        made = added.worktree
        warnings = (*added.warnings, *added.linked.conflicts, *added.provided.warnings)
        return Made(name=made.name, path=made.path, created=added.created, warnings=warnings)

    def open(self, session: LiveSession, params: msgspec.Raw) -> Opened:
        """Raises what `Tabs.open` raises."""
        asked = decode(params, _Open)
        line = HOOK_LINE if asked.created and self._has_hook(asked.path) else ""
        return self._tabs.open(session, asked.path, asked.name, line=line)

    def _has_hook(self, path: str) -> bool:
        try:
            return self._hooks.pending(path, "post-create", cwd=path) is not None
        except ZdriverError:
            return True  # a broken .zdriver.toml: the command says so where the user sees it


def _folder(session: LiveSession, pane: int | None) -> str:
    """Where the pane that asks stands. Raises Unavailable: never a repository that was not meant."""
    cwd = place_of(session, pane).cwd
    if not cwd:  # the daemon has just been started, and the question has waited for it
        raise Unavailable("where this pane stands is not known yet", hint="try again in a second")
    return cwd


def _row(line: Line) -> Row:
    claim = line.claim
    return Row(
        name=line.worktree.name,
        branch=line.worktree.branch,
        path=line.worktree.path,
        intent=line.intent,
        holder=claim.agent if claim else "",
        held_until=claim.expires_at.astimezone() if claim else None,
        current=line.current,
        trunk=line.worktree.trunk,
    )
