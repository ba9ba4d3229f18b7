"""A child that does not outlive its parent: prctl(2) PR_SET_PDEATHSIG, where the system has it."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def with_parent(number: int) -> Callable[[], None] | None:
    """For `preexec_fn`: the child gets signal `number` when the thread that starts it ends, also by SIGKILL.

    It is kept over exec, but not by a set-user-id program and not by children of the child. None where
    the system cannot do it.
    """
    if not sys.platform.startswith("linux"):
        return None
    parent, prctl = os.getpid(), ctypes.CDLL(None).prctl

    def arrange() -> None:
        prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it ended before that
            os.kill(os.getpid(), number)

    return arrange
