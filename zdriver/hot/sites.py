"""Where a root is, by its repository's remote and its branch: the same on every machine."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import NamedTuple

from zdriver.core.errors import ZdriverError
from zdriver.forges.urls import identity
from zdriver.git import refs, repos, settings
from zdriver.hot.model import Site


class _Known(NamedTuple):
    changed: int  #: of the repository's configuration, ns
    remote: str


class Sites:
    """Thread-safe: what two threads find out at once is the same."""

    def __init__(self, *, user: str, host: str) -> None:
        self._user = user
        self._host = host
        self._known: dict[str, _Known] = {}

    def of(self, root: str) -> Site:
        """One git process per repository, and one after its configuration changed; no network."""
        remote = branch = ""
        try:
            own, common = repos.dirs_of(root)
            branch = (refs.symbolic(own, "HEAD") or "").removeprefix("refs/heads/")
            remote = self._remote(common)
        except (ZdriverError, OSError):
            pass  # outside of a repository, or in one that git refuses: this root alone
        return Site(user=self._user, host=self._host, root=root, remote=remote, branch=branch)

    def _remote(self, common: str) -> str:
        changed = Path(common, "config").stat().st_mtime_ns
        known = self._known.get(common)
        if known is None or known.changed != changed:
            found = settings.settings(common)
            names = settings.remotes(found)
            url = settings.remote_url(found, names[0]) if names else ""
            known = self._known[common] = _Known(changed, identity(url))
        return known.remote


def login() -> str:
    """The name of whoever runs this, as the system knows it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a user id without a name, as in some containers
        return str(os.getuid())
