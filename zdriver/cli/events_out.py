"""`zdriver events failed`, `retry` and `audit`: what is published to `events.url`, and what was not."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from threading import Event
from typing import TYPE_CHECKING

import click

from zdriver.cli.completing import completing
from zdriver.cli.options import GIVEN, examples, json_option
from zdriver.cli.output import answer, dim, note, plural, printable, progress, red, table, yellow
from zdriver.cli.services import services
from zdriver.core.config import load_config
from zdriver.core.engines import Address, address
from zdriver.core.errors import Unavailable
from zdriver.events.relay.failures import Failed

if TYPE_CHECKING:
    from zdriver.events.audit.component import Audit
    from zdriver.library import Driver


@click.command(
    "failed",
    epilog=examples(
        "zdriver events failed",
        "zdriver events failed --json",
    ),
)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=1000, show_default=True, help="At most so many."
)
@json_option
def failed(limit: int) -> None:
    """List the events that could not be published.

    Each with its error. Some are tried again by themselves, later each time; until then, what happened
    after them to the same thing waits. Others are set aside: an event that is too large for the broker,
    or refused again and again while others got through. What came after those goes on.
    """
    with services() as driver:
        found = driver.events.failed(limit=limit)
    now = datetime.now().astimezone()
    answer(found, lambda: table([_row(each, now) for each in found]))
    if not found:
        note("every event was published, or waits for its first attempt: `zdriver daemon status`")
    elif any(each.next_at is None for each in found):
        note(dim("`zdriver events retry CURSOR…` tries them again"))


def _row(each: Failed, now: datetime) -> tuple[str, ...]:
    again = red("set aside") if each.next_at is None else yellow(f"again at {_moment(each.next_at, now)}")
    return (
        str(each.cursor),
        _moment(each.at, now),
        printable(each.type),
        again,
        plural(each.attempts, "attempt"),
        dim(printable(each.error)),
    )


def _moment(at: datetime, now: datetime) -> str:
    at = at.astimezone(now.tzinfo)
    return f"{at:%H:%M:%S}" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M:%S}"


def _refused(driver: Driver) -> Iterator[tuple[str, str]]:
    for each in driver.events.failed():
        yield str(each.cursor), f"{each.type}: {each.error}"


@click.command(
    "retry",
    epilog=examples(
        "zdriver events retry 1207 1312",
        "zdriver events retry --all",
    ),
)
@click.argument("ids", metavar="[CURSOR|ID]...", nargs=-1, type=GIVEN, shell_complete=completing(_refused))
@click.option("--all", "everything", is_flag=True, help="All that `zdriver events failed` lists.")
@json_option
def retry(ids: Sequence[str], everything: bool) -> None:
    """Try refused events again now.

    One that was set aside comes after those that happened later to the same thing: they did not
    wait for it. Its own time says when it happened.
    """
    with services() as driver:
        tried = driver.events.retry(tuple(ids), everything=everything)
    answer({"retried": tried}, lambda: f"{plural(tried, 'event')} will be tried again")


@click.command(
    "audit",
    epilog=examples(
        "zdriver events audit           until Ctrl-C",
        "zdriver events audit --once    what is in the queue now",
    ),
)
@click.option("--once/--follow", help="End when the queue is empty, or never (the default).")
@json_option
def audit(once: bool) -> None:
    """Write every published event into PostgreSQL, once.

    Reads the durable queue EXCHANGE.audit, which gets everything, and writes into the table `audit`
    of archive.url (else storage.url). A message is acknowledged after the commit; while the
    database is down they stay where they are. What is no event goes to EXCHANGE.audit.dead.
    A daemon with events.audit = true does the same by itself.
    """
    made = _audit()
    with _ended_in_order(made) as interrupted, progress("writing events") if once else nullcontext():
        made.run(once=once, tell=lambda said: note(yellow(f"! {printable(said)}")))
    writer = made.writer
    counts = {"written": writer.written, "known": writer.known, "dead": writer.hopeless}
    answer(counts, lambda: _counted(counts))
    if interrupted.is_set():
        raise KeyboardInterrupt


def _counted(counts: dict[str, int]) -> str:
    said = f"{plural(counts['written'], 'event')} written"
    if counts["known"]:
        said += f", {counts['known']} known already"
    if counts["dead"]:
        said += f", {counts['dead']} set aside as dead letters"
    return said


def _audit() -> Audit:
    """Raises Unavailable, naming the setting that is missing or wrong."""
    config = load_config()
    broker = _given("events.url", address("events.url", config))
    database = _given("archive.url", address("archive.url", config) or address("storage.url", config))
    from zdriver.events.audit.component import Audit

    return Audit(broker, database, config.events.exchange)


def _given(setting: str, found: Address | None) -> Address:
    if found is None:
        raise Unavailable(f"{setting} is not set", hint="docs/engines.md has examples")
    return found


@contextmanager
def _ended_in_order(audit: Audit) -> Iterator[Event]:
    """Ctrl-C and SIGTERM let it acknowledge what was written; whether it was Ctrl-C."""
    interrupted = Event()

    def end(number: int, _frame: object) -> None:
        if number == signal.SIGINT:
            interrupted.set()
            signal.signal(number, signal.default_int_handler)  # a second one means it
        audit.end()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
