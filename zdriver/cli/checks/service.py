"""The daemon, its files and its store."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Generator, Iterator
from pathlib import Path

from zdriver.cli.checks import Check, fail, ok, warn
from zdriver.cli.output import home_relative, plural
from zdriver.core import config, engines, paths
from zdriver.core.build import build_id
from zdriver.core.errors import ZdriverError
from zdriver.daemon.api import DaemonStatus
from zdriver.daemon.sockets import answers

SPACE_LOW = 200 << 20  #: bytes
SPACE_NONE = 20 << 20

_RECOVER = "`zdriver daemon stop`, then any command keeps it aside and recovers what is readable"


def check_service() -> Iterator[Check]:
    loaded: config.Loaded | None = None
    try:
        loaded = config.load()
        file = paths.config_file()
        there = "" if file.exists() else " (not there: the defaults hold)"
        yield ok("configuration", home_relative(str(file)) + there)
        for text in loaded.warnings:
            yield warn("configuration", text, "unset it, or spell it as `zdriver config show` does")
    except ZdriverError as error:
        yield fail("configuration", error.message, error.hint)
    status = yield from _daemon()
    yield from _runtime()
    if loaded is not None:
        yield from _engines(loaded.config, status)
    database = loaded.config.database() if loaded else paths.database()
    if loaded is None or not engines.configured("storage.url", loaded.config):
        yield _store(database)
    yield _space(database)


def daemon_status() -> DaemonStatus:
    """Raises Unavailable when it does not run."""
    from zdriver.library import connect

    with connect(start=False, client="doctor") as driver:
        return driver.daemon.status()


def _engines(settings: config.Config, status: DaemonStatus | None) -> Iterator[Check]:
    if any(engines.configured(setting, settings) for setting in engines.SCHEMES) or (
        status and status.engines
    ):
        from zdriver.cli.checks.engines import check_engines

        yield from check_engines(settings, status)


def _daemon() -> Generator[Check, None, DaemonStatus | None]:
    """Returns what it says of itself; None when it does not run, or says nothing."""
    try:
        status = daemon_status()
    except ZdriverError as error:
        if answers(paths.daemon_socket()):
            yield fail(
                "daemon", error.message, "`zdriver daemon stop` ends it; the next command starts another"
            )
        elif paths.daemon_socket().exists():
            yield warn("daemon", error.message, "`zdriver daemon start` starts it", fix="daemon")
        else:
            yield ok("daemon", "not running; it starts with the first command that needs it")
        return None
    if status.build != build_id():
        yield warn(
            "daemon",
            f"pid {status.pid} runs another build of zdriver than this command",
            "`zdriver daemon stop` lets the new one start",
        )
    else:
        used = f"{plural(status.clients, 'client')}, {plural(status.plugins, 'Zellij session')}"
        yield ok("daemon", f"pid {status.pid}, {used}")
    if not status.fork_server:
        yield warn("daemon", "its fork server is down: commands start slowly", f"look into {status.log}")
    for notice in status.notices:
        yield warn("daemon", notice, f"look into {status.log}")
    return status


def _runtime() -> Iterator[Check]:
    folder = paths.runtime_dir()
    try:
        found = folder.lstat()
    except OSError:
        return
    name = home_relative(str(folder))
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        yield fail("sockets", f"{name} is not a folder of yours", f"remove {name}")
    elif stat.S_IMODE(found.st_mode) != 0o700:
        yield fail("sockets", f"{name} is open to others", f"chmod 700 {name}", fix="daemon")
    else:
        yield ok("sockets", f"{name}, yours alone")


def _store(database: Path) -> Check:
    name = home_relative(str(database))
    if not database.exists():
        return ok("store", "nothing recorded yet")
    import apsw

    from zdriver.storage.sqlite.connection import FileDamaged, open_reader, translate
    from zdriver.storage.sqlite.migrating import check_schema

    try:
        connection = open_reader(database)
        try:
            check_schema(connection)
            said = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
        finally:
            connection.close()
    except (ZdriverError, apsw.Error) as error:
        ours = translate(error) if isinstance(error, apsw.Error) else error
        hint = _RECOVER if isinstance(ours, FileDamaged) else ours.hint
        return fail("store", f"{name}: {ours.message}", hint)
    if said != ["ok"]:
        return fail(
            "store",
            f"{name} is damaged: {said[0]}",
            _RECOVER,
        )
    return ok("store", f"{name}, {database.stat().st_size / 1e6:.1f} MB, sound")


def _space(database: Path) -> Check:
    folder = database.parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    said = f"{free / 1e9:.1f} GB free" if free > 1e9 else f"{free / 1e6:.0f} MB free"
    if free < SPACE_NONE:
        return fail("disk", said, f"make room where {home_relative(str(folder))} lies: nothing can be saved")
    if free < SPACE_LOW:
        return warn("disk", said, f"make room where {home_relative(str(folder))} lies")
    return ok("disk", said)
