"""Processes that do one thing with worktrees and may be killed at it: `python -m …victim`.

A line of JSON on stdin is an `Order`; a process is forked for it, which does it with a store and
services of its own. A line of JSON on stdout is the `Ended` of it. Forking from one process that has
everything loaded makes a killed process cost milliseconds.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import git  # noqa: F401  # loaded here once, not in every process
import msgspec

from zdriver.claims.service import ClaimsService
from zdriver.core.errors import ZdriverError
from zdriver.core.killpoint import VARIABLE
from zdriver.daemon.worktrees import Worktrees, assemble_worktrees, registry
from zdriver.storage.sqlite import SqliteStore
from zdriver.sync.service import SyncService
from zdriver.worktrees import adding, creating, listing, recovering, repairing  # noqa: F401  # as above


class Order(msgspec.Struct, frozen=True, kw_only=True):
    database: str
    env: dict[str, str]
    method: str  #: of `WorktreesApi`, or settle_all; with `service`, of another one
    given: dict[str, Any]
    service: str = "service"  #: which of `daemon.worktrees.Worktrees`
    kill: str = ""  #: the point at which it is killed; "": it is not


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    signal: int = 0
    answer: Any = None
    error: str = ""
    kind: str = ""  #: name of the error's class


@contextmanager
def services(database: Path) -> Iterator[tuple[Worktrees, ClaimsService]]:
    """As the daemon's wiring puts them together, none of its threads started."""
    with SqliteStore(database) as store:
        known = registry(store)
        claims = ClaimsService(store, known.find)
        sync = SyncService(store, known, claims.guard)
        yield assemble_worktrees(store, known, guard=claims.guard, linker=sync), claims


def done(order: Order) -> Ended:
    os.environ.clear()
    os.environ.update({**order.env, **({VARIABLE: order.kill} if order.kill else {})})
    with services(Path(order.database)) as (worktrees, _):
        try:
            answer = getattr(getattr(worktrees, order.service), order.method)(**order.given)
        except ZdriverError as error:
            return Ended(error=str(error), kind=type(error).__name__)
        return Ended(answer=msgspec.to_builtins(answer))


def child(order: Order, out: int) -> None:
    try:
        os.write(out, msgspec.json.encode(done(order)))
    finally:
        os._exit(0)


def main() -> None:
    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line, type=Order)
        inward, outward = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(inward)
            child(order, outward)
        os.close(outward)
        with os.fdopen(inward, "rb") as said:
            answer = said.read()
        _, status = os.waitpid(pid, 0)
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        ended = msgspec.json.decode(answer, type=Ended) if answer else Ended(signal=killed)
        sys.stdout.buffer.write(msgspec.json.encode(ended) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
