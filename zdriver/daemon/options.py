"""How a daemon process is told what to be: one JSON argument, read before anything else."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from zdriver.core.build import PACKAGE


class Inherited(msgspec.Struct, frozen=True, kw_only=True):
    """Descriptors kept over an `exec` of a newer program."""

    lock: int
    daemon: int  #: listening socket
    fork: int  #: listening socket


class Options(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    detach: bool = False  #: leave the starter's session
    log: bool = False  #: to the log file instead of stderr
    umask: int = -1  #: for what is made for callers that do not say theirs; -1: this process's
    ready_fd: int = -1  #: told "ready" or why not
    inherited: Inherited | None = None
    fork_server: tuple[int, int] | None = None  #: be one, with this listening and this control socket


def command(options: Options) -> list[str]:
    """argv of a process that runs the same program as this one, wherever it was imported from."""
    main = str(Path(PACKAGE) / "daemon" / "__main__.py")
    return [sys.executable, "-P", main, msgspec.json.encode(options).decode()]
