"""What of a context lies in the hot copy."""

from __future__ import annotations

import hashlib
from datetime import datetime

from msgspec import Struct

from zdriver.context.layout import Layout
from zdriver.context.model import Kind, Source


class Site(Struct, frozen=True, kw_only=True):
    """Where a context is, as another machine of the same user would find it."""

    user: str
    host: str  #: id of the machine
    root: str  #: absolute path there
    remote: str = ""  #: of the repository, in one form for every way to write it; "": none
    branch: str = ""  #: checked out at the root; "": none

    @property
    def key(self) -> str:
        """The same on each machine of a user for one remote and branch; without those, of this root alone."""
        named = (
            ("branch", self.remote, self.branch)
            if self.remote and self.branch
            else ("root", self.host, self.root)
        )
        return hashlib.sha256("\0".join((self.user, *named)).encode("utf-8", "surrogateescape")).hexdigest()[
            :32
        ]


class HotIntent(Struct, frozen=True, kw_only=True):
    id: str
    text: str
    at: datetime
    source: Source = "manual"


class HotMilestone(Struct, frozen=True, kw_only=True):
    id: str
    text: str
    at: datetime
    kind: Kind = "milestone"
    artifacts: tuple[str, ...] = ()
    commit: str | None = None
    source: Source = "manual"


class HotPane(Struct, frozen=True, kw_only=True, omit_defaults=True):
    tab: str
    cwd: str
    name: str = ""
    command: tuple[str, ...] = ()


class HotView(Struct, frozen=True, kw_only=True):
    """One context as it was when its journal stood at `version`."""

    id: str
    version: int  #: grows with each change; of two views of one context the higher one is newer
    site: Site
    host_name: str
    zellij_session: str  #: "" outside of Zellij
    updated_at: datetime
    home: str = ""  #: its user's home folder
    intent: HotIntent | None = None
    milestones: tuple[HotMilestone, ...] = ()  #: newest first
    panes: tuple[HotPane, ...] = ()
    layout: Layout | None = None  #: what the panes are restored from
    taken_at: datetime | None = None  #: when the panes were seen
    parent: str = ""  #: id of the context, of another machine, that it carries on

    @property
    def label(self) -> str:
        """What its Zellij session is called on other machines: `work@desk`."""
        return f"{self.zellij_session}@{self.host_name}"

    @property
    def empty(self) -> bool:
        return self.intent is None and not self.milestones and not self.panes
