"""What the running daemon answers and survives, and how it ends."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess

import pytest

import zdriver
from tests.integration.daemons import Daemons, age
from zdriver.core import paths
from zdriver.core.errors import Unavailable
from zdriver.rpc.client import Connection
from zdriver.testing import until


def test_after_sigkill_the_next_call_starts_another(daemons: Daemons) -> None:
    first = daemons.pid()
    with zdriver.connect() as driver:
        driver.context.set_intent("kept", place=zdriver.here())
        daemons.kill(first)
        daemons.gone(first)
        assert driver.context.status(place=zdriver.here()).intent == "kept"
        assert driver.daemon.status().pid != first


def test_a_removed_socket_comes_back(daemons: Daemons) -> None:
    pid = daemons.pid()
    with zdriver.connect() as connected:
        connected.daemon.status()
        daemons.socket.unlink()
        until(daemons.socket.exists, what="the socket to be there again")
        assert daemons.pid() == pid
        assert connected.daemon.status().pid == pid


def test_a_removed_runtime_folder_is_survived(daemons: Daemons) -> None:
    first = daemons.pid()
    shutil.rmtree(paths.runtime_dir())
    with zdriver.connect() as driver:
        driver.context.set_intent("still", place=zdriver.here())
    daemons.gone(first)
    daemons.wait_only(daemons.pid())


def test_a_daemon_that_does_not_answer_is_not_waited_for_for_ever(daemons: Daemons) -> None:
    pid = daemons.pid()
    daemons.kill(pid, signal.SIGSTOP)
    with zdriver.connect(timeout=0.3) as driver, pytest.raises(Unavailable, match="did not answer"):
        driver.daemon.status()
    daemons.kill(pid, signal.SIGCONT)
    assert daemons.pid() == pid


def test_versions_are_told_and_an_older_client_is_served(daemons: Daemons) -> None:
    pid = daemons.pid()
    with Connection(lambda: daemons.socket) as connection:
        welcome = connection.welcome
        assert (welcome.protocol, welcome.pid, welcome.data_dir) == (1, pid, str(paths.data_dir()))
        assert bytes(connection.call("hello", {"protocol": 1, "client": "old"}))
        with pytest.raises(zdriver.Conflict, match="protocol 1"):
            connection.call("hello", {"protocol": 2})


def test_socat_gets_an_answer(daemons: Daemons) -> None:
    daemons.pid()
    line = b'{"jsonrpc":"2.0","id":1,"method":"context.contexts"}\n'
    done = subprocess.run(
        ["socat", "-", f"UNIX-CONNECT:{daemons.socket}"], input=line, capture_output=True, timeout=20
    )
    assert json.loads(done.stdout) == {"jsonrpc": "2.0", "id": 1, "result": []}


def test_it_is_small(daemons: Daemons) -> None:
    """Proportional set size of the daemon and its fork server, in KiB."""
    with zdriver.connect() as driver:
        driver.context.set_intent("something", place=zdriver.here())
        status = until(lambda: _warm(driver), what="the fork server to be ready")
    assert 0 < status <= 40 * 1024


def _warm(driver: zdriver.Driver) -> int:
    status = driver.daemon.status()
    return status.memory_kib if status.fork_server and paths.fork_socket().exists() else 0


def test_it_ends_when_nobody_has_used_it_for_a_while(
    daemons: Daemons, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZDRIVER_DAEMON_IDLE_EXIT", "1")
    with zdriver.connect() as driver:
        pid = driver.daemon.status().pid
        started = driver.daemon.status().started_at
        # Connected means used: it outlives its own limit by far.
        until(lambda: (driver.daemon.status().started_at, age(pid) > 4) == (started, True), what="4 s")
    daemons.wait_none()
    assert not daemons.socket.exists()
    assert "ending: idle" in daemons.log()


@pytest.mark.parametrize("how", ["rpc", "SIGTERM", "SIGINT"])
def test_it_ends_when_told_to_and_leaves_nothing(daemons: Daemons, how: str) -> None:
    pid = daemons.pid()
    if how == "rpc":
        with zdriver.connect() as driver:
            driver.daemon.stop()
    else:
        daemons.kill(pid, signal.Signals[how])
    daemons.gone(pid)
    assert not daemons.socket.exists()
    assert not paths.fork_socket().exists()
    daemons.wait_none()


def test_who_wants_it_to_stop_is_heard_though_it_was_upgraded(daemons: Daemons) -> None:
    """`zdriver daemon stop` of a new version: its greeting alone makes the daemon execute itself anew."""
    pid = daemons.pid()
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(daemons.socket))
        raw.sendall(
            b'{"jsonrpc":"2.0","id":1,"method":"daemon.reload","params":{"force":true}}\n'
            b'{"jsonrpc":"2.0","id":2,"method":"daemon.stop"}\n'
        )
        daemons.gone(pid)
