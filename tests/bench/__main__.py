"""`python -m tests.bench [--json FILE] [NAME…]`: measure, print one table, write JSON.

Exits 0 when every target is met, 1 when one is missed, which the table names.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench import archiving, claiming, figures, hot, linking, postgres, relaying, worktrees
from tests.bench.killed import killed
from tests.bench.reopen import reopen
from tests.bench.report import Figure, table, write
from tests.bench.world import World, world

MEASURED: dict[str, Callable[[World], Iterator[Figure]]] = {
    "rpc": figures.rpc,
    "save": figures.save,
    "crowd": figures.crowd,
    "cli": figures.commands,
    "start": figures.start,
    "create": worktrees.create,
    "list": worktrees.listing,
    "claim": claiming.claim,
    "postgres": postgres.postgres,
    "redis": hot.hot,
    "link": linking.link,
    "reopen": reopen,
    "killed": killed,
    "search": figures.search,
    "relay": relaying.relay,
    "archive": archiving.archive,
    "idle": figures.idle,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(MEASURED)}")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - MEASURED.keys():
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    found: list[Figure] = []
    broken: list[str] = []
    for name in arguments.names or MEASURED:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        try:
            with world() as made:  # its own: what one has done slows no other
                found += MEASURED[name](made)
        except Exception:  # the others are worth having all the same
            traceback.print_exc()
            broken.append(name)
    print(table(found))
    for name in broken:
        print(f"{name} could not be measured; why is above")
    if arguments.json:
        write(found, arguments.json)
    return int(bool(broken) or any(figure.misses for figure in found))


if __name__ == "__main__":
    sys.exit(main())
