"""What can be imported."""

from __future__ import annotations

from typing import Protocol

from zdriver.importing.model import Imported, ImportedContexts


class ImportsApi(Protocol):
    """Service name: `imports`."""

    def imi(self, path: str, *, dry_run: bool = False) -> Imported:
        """Take over worktrees that iMi knows. Nothing of iMi is changed; twice changes nothing.

        path  absolute: its database, the folder with it, or a container with `.iMi`

        A dry run writes nothing but which repositories there are. Raises NotFound, InvalidInput.
        """
        ...

    def zellij_driver(self, url: str, *, dry_run: bool = False) -> ImportedContexts:
        """Take over histories and snapshots of the earlier zellij-driver. Nothing there is changed.

        url  of its Redis: redis://…, rediss://… or unix://…

        A dry run writes nothing. Raises InvalidInput, Unavailable.
        """
        ...
