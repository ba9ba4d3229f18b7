"""What can be asked of tasks: the same in-process, over the socket and on the wire.

`agent` and `request` are filled in by a client when they are left empty.
"""

from __future__ import annotations

from typing import Protocol

from zdriver.tasks.model import State, Task


class TasksApi(Protocol):
    """Service name: `tasks`."""

    def list(self, *, state: State | None = None, limit: int = 100) -> tuple[Task, ...]:
        """Newest first. Raises InvalidInput."""
        ...

    def show(self, id: str) -> Task:
        """By its id, or a unique end of it. Raises NotFound, Ambiguous, InvalidInput."""
        ...

    def take(self, *, lease: float = 0.0, agent: str = "", request: str = "") -> Task | None:
        """The oldest that `agent` may do, for `lease` seconds (0: 30 minutes); None: there is none.

        One whose holder let its lease run out is to be had again. Raises InvalidInput.
        """
        ...

    def extend(self, id: str, *, turn: int, lease: float = 0.0, agent: str = "") -> Task:
        """From its holder: another `lease` seconds from now on. `turn`: its `attempts`.

        Raises Conflict when it is not `agent`'s in that turn, NotFound, InvalidInput.
        """
        ...

    def finish(self, id: str, *, turn: int, agent: str = "", request: str = "") -> Task:
        """It is done. Raises as `extend` does."""
        ...

    def give_back(self, id: str, *, turn: int, agent: str = "", request: str = "") -> Task:
        """It is not done, and anybody may take it. Raises as `extend` does."""
        ...
