"""When something that vanished from a Zellij session is to be believed: the session itself may be ending.

Its commands and panes die one after another then, a command before the shell that it was started from,
and a snapshot of what is left would stand in the place of the good one.
"""

from __future__ import annotations

from collections.abc import Iterable

from zdriver.context.capturing import Found

#: Seconds after which it is believed, of a session that still lives.
CONFIRM = 1.0


class Vanishing:
    """What was recorded last, and what is missing since when. Times are of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._count = 0
        self._ran: frozenset[int] = frozenset()
        self._missing: tuple[frozenset[int], frozenset[int], int] | None = None
        self._since = 0.0

    def recorded(self, count: int, processes: Found) -> None:
        """So many panes, and what ran in them."""
        self._count, self._ran, self._missing = count, _with_command(processes), None

    def all_there(self) -> None:
        """It is again as it was recorded."""
        self._missing = None

    def is_believed(self, count: int, panes: Iterable[int], processes: Found, *, now: float) -> bool:
        """Whether there is nothing missing, or the same has been missing for `CONFIRM` seconds.

        count      panes in the layout
        panes      terminal ids of those that have, or had, a process
        """
        missing = (frozenset(panes) - frozenset(processes), self._ran - _with_command(processes), count)
        if not missing[0] and not missing[1] and count >= self._count:
            self._missing = None
            return True
        if self._missing != missing:
            self._missing, self._since = missing, now
        return now - self._since >= CONFIRM


def _with_command(processes: Found) -> frozenset[int]:
    return frozenset(pane for pane, process in processes.items() if process.argv)
