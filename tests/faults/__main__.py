"""`python -m tests.faults [NAME…]`: break things, count what is left.

Exits 0 when nothing was lost, doubled, out of order or left unanswered, else 1.
"""

from __future__ import annotations

import argparse
import signal
import sys
import traceback
from pathlib import Path

from tests.faults import report
from tests.faults.counting import Result
from tests.faults.scenarios import SCENARIOS, run
from tests.faults.trial import Servers, Trial, servers

#: For the negative control: a twentieth of it is made.
FEW = 10_000
PARTS = ("relay", "archive")


def one(
    made: Servers, number: int, name: str, engine: str, without: frozenset[str], operations: int
) -> Result:
    """One scenario from its beginning to its counts."""
    with Trial(made, number, engine=engine, without=without) as trial:
        try:
            load, seconds = run(trial, name, operations)
            trial.settle(load)
            return trial.result(name, SCENARIOS[name].title, load, seconds)
        except BaseException:  # also when it is told to end: why it hangs is in there
            for host in trial.hosts:
                print(f"the end of the log of {host.name}:\n{host.log()}", file=sys.stderr)
            raise


class Run:
    def __init__(self, made: Servers, operations: int) -> None:
        self._servers, self._operations = made, operations
        self._number = 0
        self.broken: list[str] = []

    def __call__(
        self, name: str, engine: str, *, without: frozenset[str] = frozenset(), operations: int = 0
    ) -> list[Result]:
        self._number += 1
        print(f"▸ {name} ({engine})", file=sys.stderr, flush=True)
        try:
            result = one(self._servers, self._number, name, engine, without, operations or self._operations)
        except Exception:  # told at the end; the others are worth having all the same
            traceback.print_exc()
            self.broken.append(f"{name} ({engine})")
            return []
        print(report.details(result), flush=True)
        return [result]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--operations", type=int, default=10_000, help="in the longest scenario (10000)")
    parser.add_argument("--engine", choices=("postgresql", "sqlite"), help="only with this store")
    parser.add_argument("--without", choices=PARTS, action="append", default=[], help="switch a part off")
    parser.add_argument("--write", type=Path, metavar="FILE", help="docs/reliability.md")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(SCENARIOS)}")
    given = parser.parse_args()
    if unknown := set(given.names) - SCENARIOS.keys():
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    # As an exception, so that what was started ends, too.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    results: list[Result] = []
    controls: list[tuple[str, Result]] = []
    with servers() as made:
        run_one = Run(made, given.operations)
        for name in given.names or SCENARIOS:
            for engine in SCENARIOS[name].engines:
                if given.engine in (None, engine):
                    results += run_one(name, engine, without=frozenset(given.without))
                    _write(given.write, results, controls, made)
        for part in PARTS if given.write and not given.without else ():
            found = run_one("nothing", "postgresql", without=frozenset({part}), operations=FEW)
            controls += [(part, result) for result in found]
        _write(given.write, results, controls, made)
    print(report.table(results))
    for name in run_one.broken:
        print(f"{name} could not be tried; why is above")
    blind = [part for part, result in controls if not result.lost]
    for part in blind:
        print(f"without {part} nothing was lost: the counts cannot be trusted")
    return int(bool(run_one.broken or blind) or any(result.wrong for result in results))


def _write(
    file: Path | None, results: list[Result], controls: list[tuple[str, Result]], made: Servers
) -> None:
    """After each result: an hour's work is not lost to whatever ends it."""
    if file is not None:
        file.write_text(report.document(results, controls, _versions(made)))


def _versions(made: Servers) -> str:
    postgres = made.postgres.sql("SHOW server_version")[0][0]
    rabbitmq = made.rabbitmq.call("rabbit_misc:version()").strip('"')
    return f"PostgreSQL {postgres}, Redis {made.redis.version()}, RabbitMQ {rabbitmq}; all on one machine."


if __name__ == "__main__":
    sys.exit(main())
