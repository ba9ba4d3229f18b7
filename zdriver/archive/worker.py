"""The process that archives: it reads the store, writes the archive, and says what is confirmed.

A process of its own, because reading, counting words and sending them keeps Python busy, and nobody
who asks the daemon something shall wait for that; and because the daemon then never loads a driver
that it does not need otherwise. It never writes to the store: the daemon does, by what it is told.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import TextIO

import msgspec

from zdriver.archive import pruning
from zdriver.archive.model import (
    GO,
    Archived,
    Confirmed,
    Counts,
    Done,
    Failed,
    Meets,
    Order,
    Said,
)
from zdriver.archive.passing import Pass, pending
from zdriver.archive.source import Source, open_source
from zdriver.archive.target import Target
from zdriver.core.clock import to_datetime
from zdriver.core.config import Config, load_config
from zdriver.core.engines import address
from zdriver.core.errors import Unavailable, ZdriverError

log = logging.getLogger(__name__)


def main(order: Order, said: TextIO, heard: TextIO) -> int:
    """Do what is ordered; each `Said` is a JSON line to `said`. The process's exit code."""

    def tell(what: Said) -> None:
        said.write(msgspec.json.encode(what).decode() + "\n")
        said.flush()

    try:
        config = load_config()
        report = _serve(config, order, tell, heard)
    except ZdriverError as error:
        tell(Failed(code=error.code, message=error.message, hint=error.hint))
        return 1
    tell(Done(report))
    return 0


def _serve(config: Config, order: Order, tell: Callable[[Said], None], heard: TextIO) -> Archived:
    where = address("archive.url", config)
    if where is None:
        raise Unavailable("no archive is configured", hint="set archive.url: postgresql://user@host/database")
    source = open_source(config)
    target = Target(where, source.id)
    try:
        tell(
            Meets(
                archive=target.id,
                version=target.version,
                latency_ms=target.latency_ms,
                skew_ms=target.skew_ms,
            )
        )
        if heard.readline() != GO:
            raise Unavailable("the daemon did not answer", hint="do it again")
        watch(heard)
        return _work(source, target, order, tell)
    finally:
        target.close()


def _work(source: Source, target: Target, order: Order, tell: Callable[[Said], None]) -> Archived:
    began = time.monotonic()
    if order.what == "count":
        return _report(source, target, rows=pending(source, target), dry_run=True)
    if not target.lead():
        return _report(source, target, elsewhere=True)
    made = Pass(source, target, tell)
    if order.what == "forget":
        made.forget()
        return _report(source, target, forgotten=made.forgotten)
    target.meet(order.host, socket.gethostname())
    for known in source.all("archive.hosts"):
        target.meet(known["id"], known["name"])
    age = target.age()
    if age is not None and age < order.unless_within:
        return _report(source, target, elsewhere=True)
    cursor = made.run()
    at = target.finish()
    tell(Confirmed(archive=target.id, cursor=cursor, archived_at=at))
    if made.rows.entries:
        _analyze(target, whole=made.whole)
    if order.prune_before:
        pruning.find(source, target, cursor=cursor, before=order.prune_before, tell=tell)
    # Nothing more is asked of the archive: what was confirmed is done, also when it is away by now.
    return Archived(
        archive=target.id,
        store=source.id,
        rows=made.rows,
        forgotten=made.forgotten,
        behind=_behind(source, cursor),
        archived_at=to_datetime(at),
        seconds=round(time.monotonic() - began, 3),
    )


def _analyze(target: Target, *, whole: bool) -> None:
    """The server does it by itself sooner or later."""
    try:
        target.analyze(whole=whole)
    except ZdriverError as error:
        log.warning("the archive's statistics are as they were: %s", error.message)


def _behind(source: Source, cursor: int) -> int:
    row = source.one("archive.behind", cursor=cursor)
    return 0 if row is None else int(row["events"])


def _report(
    source: Source,
    target: Target,
    *,
    rows: Counts | None = None,
    forgotten: int = 0,
    dry_run: bool = False,
    elsewhere: bool = False,
) -> Archived:
    state = target.state()
    return Archived(
        archive=target.id,
        store=source.id,
        rows=rows or Counts(),
        forgotten=forgotten,
        behind=_behind(source, state.cursor),
        archived_at=state.archived_at,
        dry_run=dry_run,
        elsewhere=elsewhere,
    )


def watch(heard: TextIO) -> None:
    """End with who listens: a daemon that was killed closes its end, and the next one starts anew."""

    def wait() -> None:
        heard.read()
        os._exit(1)

    threading.Thread(target=wait, name="watch", daemon=True).start()


def run(argument: str) -> int:
    """With the `Order` as JSON."""
    try:
        return main(msgspec.json.decode(argument, type=Order), sys.stdout, sys.stdin)
    except BrokenPipeError:  # nobody listens any more: what was committed the next one finds
        os._exit(1)
