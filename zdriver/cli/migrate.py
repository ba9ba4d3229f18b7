"""`zdriver migrate`: the store moves from SQLite to PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from zdriver.cli.options import GIVEN, examples, json_option
from zdriver.cli.output import answer, dim, green, home_relative, note, plural, progress, table
from zdriver.cli.services import services
from zdriver.core.errors import InvalidInput, NotFound, Unavailable

if TYPE_CHECKING:
    from zdriver.core.config import Config
    from zdriver.core.engines import Address
    from zdriver.moving.model import Moved


@click.command(
    epilog=examples(
        "zdriver migrate --to postgresql://me@db.example.org/zdriver --dry-run",
        "zdriver migrate --to postgresql://me@db.example.org/zdriver",
    )
)
@click.option("--to", "to", metavar="URL", type=GIVEN, required=True, help="An empty PostgreSQL database.")
@click.option("--dry-run", is_flag=True, help="Only say what would be moved, and whether it can be.")
@json_option
def migrate(to: str, dry_run: bool) -> None:
    """Move everything from SQLite to PostgreSQL.

    Each table is copied, read again from the server and compared. The SQLite store is only read and
    stays where it is. Stopped in the middle, the same command goes on. The daemon is stopped for it.

    The password: in storage.password_file or storage.password_command, else as libpq finds it
    (~/.pgpass, PGPASSWORD), else in the URL.
    """
    from zdriver.core.config import load_config
    from zdriver.moving.service import move

    config = load_config()
    address = _address(to, config)
    source = Path(config.database())
    if not source.exists():
        raise NotFound(f"there is no SQLite store at {source}", hint="there is nothing to move")
    _stop()
    with progress("moving"):
        moved = move(source, address, dry_run=dry_run)
    answer(moved, lambda: words(moved))
    if not dry_run and config.storage.url != to:
        note(_next(to))


def _address(to: str, config: Config) -> Address:
    """As `storage.url` would be read. Raises Unavailable, InvalidInput."""
    from zdriver.core.engines import address

    meant = msgspec.structs.replace(config, storage=msgspec.structs.replace(config.storage, url=to))
    found = address("storage.url", meant)
    if found is None:
        raise InvalidInput("--to names no database", hint="for example postgresql://me@localhost/zdriver")
    return found


def _stop() -> None:
    """The daemon, if it runs: it finishes what it accepted."""
    try:
        with services(start=False, tell=False) as driver:
            driver.daemon.stop()
    except Unavailable:
        pass  # it does not run


def words(of: Moved) -> str:
    """What moved, a line a table."""
    rows = [(name, f"{each.rows:,}", dim(each.digest[:12])) for name, each in of.tables.items() if each.rows]
    if of.dry_run:
        first = f"would be moved: {plural(of.rows, 'row')} from {home_relative(of.source)}"
    elif of.known:
        first = f"{green('✓')} all {of.rows:,} rows are there already"
    else:
        first = f"{green('✓')} moved and compared: {plural(of.rows, 'row')} from {home_relative(of.source)}"
    return "\n".join((first, table(rows)))


def _next(to: str) -> str:
    from zdriver.core import paths, urls

    return (
        f'now set it, then it is used: [storage] url = "{urls.shown(to)}" in {paths.config_file()};'
        " until then everything goes on in the SQLite store, and what is written there is not moved"
    )
