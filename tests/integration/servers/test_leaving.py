"""A run of tests that is killed leaves no server behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from zdriver.testing import processes, until
from zdriver.testing.servers import Missing, PostgreSql, ServerFailed, scratch
from zdriver.testing.servers.process import program

_STARTS = """\
import sys, threading
from pathlib import Path
from zdriver.testing.servers import PostgreSql, Redis

folder = Path(sys.argv[1])
servers = Redis(folder / "redis"), PostgreSql(folder / "pg")
starters = [threading.Thread(target=server.start) for server in servers]
for thread in starters:
    thread.start()
for thread in starters:  # the threads that asked for them end; the servers do not
    thread.join()
print(*(server.pid for server in servers), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_servers_end_with_the_process_that_started_them(number: signal.Signals) -> None:
    with (
        scratch("leaving") as folder,
        subprocess.Popen(
            [sys.executable, "-c", _STARTS, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as starter,
    ):
        assert starter.stdout is not None
        pids = [int(word) for word in starter.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(processes.alive, pids))
        pids += [child for pid in pids for child in processes.children(pid)]
        starter.send_signal(number)
        until(lambda: not any(map(processes.alive, pids)), what="the servers' end", deadline=20)


def test_a_missing_program_is_named_with_its_package() -> None:
    with pytest.raises(Missing, match=r"no-such-server is not there.*sudo apt-get install some-package"):
        program("no-such-server", "some-package")


def test_a_server_that_does_not_start_shows_its_log() -> None:
    with (
        scratch("leaving") as folder,
        pytest.raises(ServerFailed, match="no_such_setting"),
        PostgreSql(folder, options={"no_such_setting": "1"}),
    ):
        raise AssertionError("it started")


def test_a_folder_that_postgres_cannot_enter_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    # Only root needs another user; everybody else owns the folder.
    refused = pytest.raises(ServerFailed, match="the user postgres cannot enter")
    with nullcontext() if os.geteuid() else refused, PostgreSql(closed / "pg") as server:
        assert server.sql("SELECT 1") == [(1,)]
