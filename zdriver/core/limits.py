"""Resource limits (`ulimit`) of one process, taken over by another."""

from __future__ import annotations

import contextlib
import resource

#: Each limit's number on this system; some have two names.
_ALL = sorted({value for name, value in vars(resource).items() if name.startswith("RLIMIT_")})

Limits = dict[int, tuple[int, int]]  #: soft and hard, by the limit's number


def of(pid: int) -> Limits:
    """The limits of a process of this user; none where the system does not tell (macOS, or pid 0).

    Raises OSError when there is no such process or it may not be asked.
    """
    if not hasattr(resource, "prlimit") or pid <= 0:
        return {}
    found = {}
    for number in _ALL:
        with contextlib.suppress(ValueError):  # the kernel is older than Python's list
            found[number] = resource.prlimit(pid, number)
    return found


def take(limits: Limits) -> None:
    """Make them this process's own.

    Raises OSError when this process has a lower one that it may not raise.
    """
    for number, wanted in limits.items():
        if resource.getrlimit(number) == wanted:
            continue
        try:
            resource.setrlimit(number, wanted)
        except ValueError as error:
            raise PermissionError(f"the limit {number} cannot be {wanted}") from error
