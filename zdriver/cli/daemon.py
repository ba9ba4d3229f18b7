"""`zdriver daemon`: the process that remembers."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time

import click

from zdriver.cli.options import examples, json_option
from zdriver.cli.output import age, answer, dim, green, home_relative, note, plural, progress, table, yellow
from zdriver.cli.services import services
from zdriver.core import platform
from zdriver.core.errors import Unavailable
from zdriver.daemon.api import DaemonStatus
from zdriver.daemon.starting import find

#: Seconds that a stopping daemon gets to finish what it accepted.
STOP_TIMEOUT = 15.0
#: Seconds until a daemon that does not answer counts as one that hangs …
ANSWER_TIMEOUT = 5.0
#: … and that it then gets to end by itself.
TERM_TIMEOUT = 3.0


@click.group(epilog=examples("zdriver daemon status", "zdriver daemon stop"))
@json_option
def daemon() -> None:
    """Start, stop and look at the daemon.

    It starts by itself with the first command or Zellij session that needs it, and ends
    when nothing does; see `daemon.idle_exit` in `zdriver config show`.
    """


@daemon.command(epilog=examples("zdriver daemon start"))
@json_option
def start() -> None:
    """Start it, unless it is running."""
    with services(doing="starting the zdriver daemon") as driver:
        status = driver.daemon.status()
    answer(status, lambda: f"{green('✓')} the daemon is running, pid {status.pid}")


@daemon.command(epilog=examples("zdriver daemon stop"))
@json_option
def stop() -> None:
    """Stop it; what was accepted is finished first.

    One that does not answer is ended by force, which loses nothing that was saved.
    """
    try:
        status = _running()
    except Unavailable:
        _force()
        return
    if status is None:
        note("the daemon is not running")
        answer(None, lambda: "")
        return
    with progress("waiting for the daemon to finish"):
        with services(start=False) as driver:
            driver.daemon.stop()
        _wait_for_end(status)
    answer(status, lambda: f"{green('✓')} the daemon has stopped")


@daemon.command(epilog=examples("zdriver daemon status", "zdriver daemon status --json"))
@json_option
def status() -> None:
    """Show whether it runs, and what it does.

    Exit code 5 when it does not run.
    """
    found = _running()
    if found is None:
        raise Unavailable(
            "the daemon is not running", hint="it starts by itself; `zdriver daemon start` starts it now"
        )
    answer(found, lambda: _shown(found))
    for notice in found.notices:
        note(yellow(f"! {notice}"))


@daemon.command(
    epilog=examples("zdriver daemon run        in the foreground, to watch it or under a supervisor")
)
def run() -> None:
    """Run it in this terminal until Ctrl-C."""
    from zdriver.daemon.options import Options
    from zdriver.daemon.process import run as serve

    raise click.exceptions.Exit(serve(Options()))


def _running() -> DaemonStatus | None:
    """None when there is none. Raises Unavailable when it does not answer."""
    try:
        with services(start=False, timeout=ANSWER_TIMEOUT, tell=False) as driver:
            return driver.daemon.status()
    except Unavailable:
        if _listening() is None:
            return None
        raise


def _listening() -> int | None:
    """The pid of whoever listens where the daemon should; 0 when the system does not tell."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(find()))
            peer = platform.peer(probe)
        except OSError:
            return None
    return peer.pid if peer.uid == os.getuid() else None


def _force() -> None:
    pid = _listening()
    if not pid:
        raise Unavailable("the daemon does not answer, and its pid is not known", hint="end it with kill -9")
    with progress("the daemon does not answer; ending it"):
        for number, patience in ((signal.SIGTERM, TERM_TIMEOUT), (signal.SIGKILL, STOP_TIMEOUT)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            if _ended(pid, patience):
                break
        else:
            raise Unavailable(f"the daemon (pid {pid}) cannot be killed", hint="its disk may hang")
    answer({"pid": pid, "killed": True}, lambda: f"{green('✓')} the daemon did not answer and was ended")


def _ended(pid: int, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while platform.process(pid) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _wait_for_end(old: DaemonStatus) -> None:
    if not _ended(old.pid, STOP_TIMEOUT):
        raise Unavailable(f"the daemon (pid {old.pid}) is still busy", hint="look again in a while")


def _shown(of: DaemonStatus) -> str:
    idle = f"after {of.idle_exit // 60} min without use" if of.idle_exit else "never by itself"
    if of.idle_exit and of.stays_for:
        idle = f"not by itself while it is at work for {' and '.join(of.stays_for)}"
    rows = [
        ("pid", f"{of.pid}, since {age(of.started_at)}"),
        ("version", of.version),
        ("in use by", f"{plural(of.clients, 'client')}, {plural(of.plugins, 'Zellij session')}"),
        ("ends", idle),
        ("memory", f"{of.memory_kib // 1024} MB" if of.memory_kib else "unknown"),
        ("socket", home_relative(of.socket)),
        ("database", home_relative(of.database)),
        ("log", home_relative(of.log) if of.log else "this terminal's"),
    ]
    from zdriver.cli.enginewords import engine_rows

    return table([*((dim(name), value) for name, value in rows), *engine_rows(of.engines)])
