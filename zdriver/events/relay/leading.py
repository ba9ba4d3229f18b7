"""Who publishes, where several daemons share one store: one of them."""

from __future__ import annotations

from typing import Protocol


class Leader(Protocol):
    def lead(self) -> bool:
        """Whether this process is the one; asked before every batch."""
        ...

    def release(self) -> None:
        """Let another one."""
        ...


class Alone:
    """One process owns a SQLite store."""

    def lead(self) -> bool:
        return True

    def release(self) -> None:
        """There is nobody to let."""
