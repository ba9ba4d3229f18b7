"""The port to contexts that were left on another machine of the same user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from zdriver.hot.model import HotView


class Elsewhere(Protocol):
    """What is not there at once is not there: nothing here raises, or keeps a command waiting."""

    def newest(self, root: str) -> HotView | None:
        """The newest one of what is `root` here, when it is newer than all that was done here."""
        ...

    def carry_on(self, root: str, *, into: str) -> None:
        """Carry it on in the Zellij session `into` ("": outside of any); its panes become a generation."""
        ...


class Nowhere:
    """No hot copy is configured."""

    def newest(self, root: str) -> HotView | None:
        return None

    def carry_on(self, root: str, *, into: str) -> None:
        return None


NOWHERE = Nowhere()
