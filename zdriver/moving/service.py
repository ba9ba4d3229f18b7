"""Moving a store. In the process of the command, as no daemon may have the store meanwhile.

1. The source is summed up, table by table.
2. The target says what moves, so that no daemon begins on half a store.
3. Each table is copied page by page, each page in a transaction with how far it is.
4. The target is read again, all of it, and summed up. Only if both are equal, it becomes a store.

Stopped anywhere, the next run goes on. The source is only ever read.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from zdriver.core.engines import Address
from zdriver.core.errors import Conflict, Internal
from zdriver.moving.digests import summed
from zdriver.moving.model import Moved, Sum
from zdriver.moving.source import SEARCH, Source, Table
from zdriver.moving.target import MOVED, Mark, Target
from zdriver.storage.postgres.opening import MOVING

#: Rows that are copied in one transaction.
PAGE = 5000


def move(path: Path, address: Address, *, dry_run: bool = False) -> Moved:
    """Raises NotFound, StoreInUse, Unavailable; Conflict where the target holds something else."""
    began = time.monotonic()
    with Source(path) as source, Target(address) as target:
        tables = source.tables
        sums = {table.name: summed(source.rows(table)) for table in tables}
        mark = Mark(store=source.id, tables=sums)
        report = Moved(
            store=source.id,
            source=str(path),
            target=address.shown,
            tables=sums,
            rows=sum(each.rows for each in sums.values()),
            dry_run=dry_run,
        )
        how = _standing(target, mark, tables)
        if dry_run or how == "known":
            return msgspec.structs.replace(report, known=how == "known", resumed=how == "resume")
        if how == "begin":
            target.begin(mark, tables, lambda: _standing(target, mark, tables))
        _copy(source, target, tables)
        _compare(target, tables, sums)
        target.finish(mark, {t.name: (t.key[0], source.highest(t)) for t in tables if _numbered(t)})
        seconds = round(time.monotonic() - began, 3)
        return msgspec.structs.replace(report, resumed=how == "resume", seconds=seconds)


def _standing(target: Target, mark: Mark, tables: tuple[Table, ...]) -> str:
    """ "begin", "resume" or "known". Raises Conflict."""
    under_way = target.mark(MOVING)
    if under_way is not None:
        if under_way.store != mark.store:
            raise Conflict(
                f"storage.url: another store is being moved to {target.address.shown}",
                hint="finish that, or name an empty database: createdb zdriver",
            )
        # What was written since goes along: then it is begun anew.
        return "resume" if under_way.tables == mark.tables else "begin"
    moved = target.mark(MOVED)
    if moved is None:
        target.check(tables)
        return "begin"
    if moved.store == mark.store:
        if moved.tables == mark.tables:
            return "known"
        if _unused(target, moved, tables):
            return "begin"
    raise Conflict(
        f"storage.url: the database {target.address.shown} holds a store that was used already",
        hint="it is left as it is; name an empty one: createdb zdriver",
    )


def _unused(target: Target, moved: Mark, tables: tuple[Table, ...]) -> bool:
    """Whether nobody wrote there since: then nothing is lost when it is moved again."""
    return target.sums(tables) == moved.tables


def _copy(source: Source, target: Target, tables: tuple[Table, ...]) -> None:
    for table in tables:
        after, done = target.reached(table)
        while not done:
            rows = source.page(table, after, PAGE)
            done = len(rows) < PAGE
            target.add(table, rows, done=done)
            if rows:
                after = [rows[-1][table.columns.index(column)] for column in table.key]


def _compare(target: Target, tables: tuple[Table, ...], sums: dict[str, Sum]) -> None:
    found = target.sums(tables)
    wrong = [name for name, each in sums.items() if found[name] != each]
    if wrong:
        raise Internal(
            f"what was copied is not the same: {', '.join(wrong)}; nothing uses it, the source is as it was",
            hint="drop the database, make it anew, and do it again; then report it",
        )


def _numbered(table: Table) -> bool:
    return table.name != SEARCH and table.key in (("seq",), ("generation",))
