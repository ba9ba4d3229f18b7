"""The table, for the terminal and for docs/reliability.md."""

from __future__ import annotations

from collections.abc import Sequence

from tests.faults.counting import Count, Result
from tests.faults.scenarios import summary

_HEAD = """\
# What is lost when something dies

{verdict} `make faults` shows it, and writes the tables below: it starts a PostgreSQL,
a Redis and a RabbitMQ of its own, two daemons with homes of their own as two hosts (each engine behind a
proxy), and 16 clients that set intents, record milestones, claim and release worktrees and make worktrees
over the daemons' sockets, while one thing after the other goes wrong.

- **acknowledged**: the daemon answered that it is done. A client whose connection breaks, or that is told
  to try again, asks again with the same `request`, as every client of zdriver does. What is not acknowledged
  was refused: somebody else held the worktree.
- **found**, **doubled**, **lost** are counted afterwards by plain psycopg, sqlite3, pika and redis-py, in
  five places: the tables of the store (each text, claim and worktree), its log of events, a queue of the
  reader's own bound to everything, the audit's table, and the archive. *Found* is the smallest of the five.
- **sent again**: messages that came to the queue more than once. That is allowed (at least once); the
  audit has each event once.
- **out of order**: events that came before an earlier one of their aggregate, to the queue or to the audit.
- **held twice**: claims that began while another agent had the same work. Both hosts have the same worktrees
  of clones of one repository, and 16 clients want them.
- **stale**: contexts whose hash in Redis has another intent than the one acknowledged last, once all is
  quiet.
- **asked again**: calls that were made more than once. **s**: seconds until all had their answer, on two
  cores with everything on them; no measure of speed.

The clock of the scenario "clock" is set for one daemon's process only, by a library loaded before the C
library (`tests/faults/clock.c`).
"""

_CONTROL = """
## The same, with a part switched off
That the counts can say "lost" is shown by taking something away: `make faults ARGS='--without relay nothing'`
and `--without archive`. Both end with exit code 1.
"""

_ROOM = """
## What is not promised
- RabbitMQ 3.10 writes what was declared (a durable queue, a quorum queue, an exchange) to its disk up to two
  seconds later. A broker that is killed within them forgets the queue, or has one that it cannot open
  (`541 INTERNAL_ERROR`: delete it, it is made again), and with it messages that it confirmed. That is
  once, when `events.url` is first used with a broker. The events themselves stay in the store's log.
- A call without `request` that was cut off may have been done. The command line and the Python client
  always give one.
"""

_COLUMNS = (
    *("what happened", "store", "operations", "acknowledged", "found", "doubled", "lost"),
    *("sent again", "out of order", "held twice", "stale", "asked again", "s"),
)


def row(result: Result) -> tuple[str, ...]:
    times = "; ".join(summary([*result.notes, *result.broken]))
    return (
        f"{result.title} ({times})" if times else result.title,
        "PostgreSQL, 2 hosts" if result.engine == "postgresql" else "SQLite, 1 host",
        str(result.asked),
        str(result.acknowledged),
        str(min(place.found for place in result.places.values())),
        str(result.doubled),
        str(result.lost),
        str(result.sent_again),
        str(result.broker_disordered + result.audit_disordered),
        str(result.held_twice),
        f"{result.stale} of {result.contexts}",
        str(result.repeated_calls),
        f"{result.seconds:.0f}",
    )


def table(results: Sequence[Result]) -> str:
    """In Markdown."""
    lines = [_COLUMNS, tuple("---" if number < 2 else "---:" for number in range(len(_COLUMNS)))]
    lines += [row(result) for result in results]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def details(result: Result) -> str:
    """One result in full, for the terminal."""

    def shown(place: Count) -> str:
        return f"{place.found} found, {place.doubled} doubled, {place.lost} lost"

    lines = [f"{result.name} ({result.engine}): {result.acknowledged} of {result.asked} acknowledged"]
    lines[0] += f", {result.refused} refused, {result.unanswered} unanswered, {result.seconds:.1f} s"
    lines += [f"  {name:10} {shown(place)}" for name, place in result.places.items()]
    order = f"{result.broker_disordered} + {result.audit_disordered}"
    lines.append(f"  sent again {result.sent_again}, out of order {order}, held twice {result.held_twice}")
    lines[-1] += f", stale {result.stale} of {result.contexts}"
    lines += [f"  - {note}" for note in summary(result.notes)]
    lines += [f"  ✗ {problem}" for problem in summary(result.broken)]
    lines += [f"  ✗ {result.unasked} operations were never asked for"] if result.unasked else []
    return "\n".join(lines)


def document(results: Sequence[Result], controls: Sequence[tuple[str, Result]], versions: str) -> str:
    """docs/reliability.md"""
    wrong = [result.title for result in results if result.wrong]
    verdict = f"Something did, here: {', '.join(wrong)}." if wrong else "Nothing that was acknowledged."
    parts = [_HEAD.format(verdict=verdict), f"\n## The table\n{versions}\n\n{table(results)}\n"]
    if controls:
        lines = [
            "| switched off | acknowledged | "
            + " | ".join(f"lost: {name}" for name in _names(controls))
            + " |"
        ]
        lines.append("|" + " --- |" * (len(_names(controls)) + 2))
        for without, result in controls:
            lost = " | ".join(str(place.lost) for place in result.places.values())
            lines.append(f"| {without} | {result.acknowledged} | {lost} |")
        parts += [_CONTROL, "\n", "\n".join(lines), "\n"]
    return "".join([*parts, _ROOM])


def _names(controls: Sequence[tuple[str, Result]]) -> list[str]:
    return list(controls[0][1].places)
