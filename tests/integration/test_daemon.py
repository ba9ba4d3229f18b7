"""The daemon's life: how it starts, what it survives, how it ends, and what it never loses."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import zdriver
from tests.integration.daemons import Daemons
from zdriver.context.model import Place
from zdriver.core import paths, platform
from zdriver.core.errors import InvalidInput, StoreInUse, Unavailable
from zdriver.rpc.client import Connection
from zdriver.testing import Home, until

STATUS = "import zdriver; print(zdriver.connect().daemon.status().pid)"


def _python(home: Home, code: str, **env: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**home.env, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


# -- starting --------------------------------------------------------------------------------


def test_the_first_call_starts_it_and_the_next_finds_it(daemons: Daemons) -> None:
    assert daemons.pids() == []
    pid = daemons.pid()
    assert daemons.pid() == pid
    assert daemons.pids() == [pid]
    assert len(daemons.fork_servers()) == 1


def test_nothing_is_started_where_that_is_not_wanted(daemons: Daemons) -> None:
    with zdriver.connect(start=False) as driver, pytest.raises(Unavailable, match="not running"):
        driver.daemon.status()
    assert daemons.pids() == []


def test_only_its_user_can_reach_it(home: Home, daemons: Daemons) -> None:
    daemons.pid()
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (paths.runtime_dir(), *_files(home))}
    assert modes.pop(paths.runtime_dir()) == 0o700
    assert {mode & 0o077 for mode in modes.values()} == {0}


def _files(home: Home) -> list[Path]:
    below = [*paths.runtime_dir().iterdir(), *paths.data_dir().iterdir(), home.daemon_log]
    return [path for path in below if path.exists()]


def test_it_stands_apart_from_whoever_started_it(home: Home, daemons: Daemons, tmp_path: Path) -> None:
    """Its own session, no terminal, folder `/`: the starter's folder may go, its terminal may close."""
    folder = tmp_path / "soon gone"
    folder.mkdir()
    leader, follower = pty.openpty()
    code = f"import os; os.chdir({str(folder)!r}); {STATUS}"
    starter = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**home.env, "ZELLIJ_SESSION_NAME": "theirs", "GIT_DIR": "/theirs"},
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=follower,
        start_new_session=True,
        text=True,
    )
    os.close(follower)
    said, _ = starter.communicate(timeout=30)
    pid = int(said)
    shutil.rmtree(folder)
    os.close(leader)  # SIGHUP to whoever has this terminal
    process = platform.process(pid)
    assert process is not None
    assert process.session not in (starter.pid, pid)  # it leads no session, so it never gets a terminal
    assert process.tty_group == -1
    assert platform.cwd(pid) == "/"
    assert b"theirs" not in Path(f"/proc/{pid}/environ").read_bytes()
    assert daemons.pid() == pid


def test_twenty_at_once_get_one_daemon(home: Home, daemons: Daemons) -> None:
    starters = [_python(home, STATUS) for _ in range(20)]
    said = [starter.communicate(timeout=120) for starter in starters]
    assert {out for out, _ in said} == {f"{daemons.pid()}\n"}, said
    assert len(daemons.pids()) == 1


def test_a_stale_socket_is_replaced(daemons: Daemons) -> None:
    paths.private_dir(paths.runtime_dir())
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(paths.daemon_socket()))
    assert [daemons.pid()] == daemons.pids()


def test_after_sigkill_the_next_call_starts_another(daemons: Daemons) -> None:
    first = daemons.pid()
    with zdriver.connect() as driver:
        driver.context.set_intent("kept", place=zdriver.here())
        daemons.kill(first)
        daemons.gone(first)
        assert driver.context.intent(place=zdriver.here()).text == "kept"
        assert driver.daemon.status().pid != first


@pytest.mark.parametrize("runtime", ["", "missing", "too/" + "l" * 90])
def test_it_works_without_a_usable_xdg_runtime_dir(
    home: Home, daemons: Daemons, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    value = str(home.path / runtime) if runtime else ""
    if runtime.startswith("too"):
        Path(value).mkdir(parents=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    assert [daemons.pid()] == daemons.pids()
    assert paths.runtime_dir().parent == home.path / "tmp"
    assert stat.S_IMODE(paths.runtime_dir().stat().st_mode) == 0o700


def test_a_folder_of_somebody_else_is_not_trusted(
    home: Home, daemons: Daemons, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    paths.runtime_dir().mkdir()
    os.chown(paths.runtime_dir(), 65534, 65534)
    with zdriver.connect() as driver, pytest.raises(Unavailable, match="not a folder of yours"):
        driver.daemon.status()


def test_an_environment_with_another_runtime_folder_finds_the_same_daemon(
    home: Home, daemons: Daemons, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = daemons.pid()
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert daemons.pid() == pid
    paths.private_dir(paths.runtime_dir())
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(paths.daemon_socket()))
    assert daemons.pid() == pid  # a stale socket of this environment's is no obstacle
    assert daemons.pids() == [pid]


def test_a_runtime_folder_that_cannot_be_made_is_said_in_words(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.path / "tmp" / paths.runtime_dir().name).touch()
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/proc")
    with zdriver.connect() as driver, pytest.raises(Unavailable, match="/proc/zdriver") as caught:
        driver.daemon.status()
    assert "XDG_RUNTIME_DIR" in caught.value.hint


def test_why_it_cannot_start_reaches_the_caller(daemons: Daemons, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZDRIVER_DAEMON_IDLE_EXIT", "soon")
    with zdriver.connect() as driver, pytest.raises(InvalidInput, match="ZDRIVER_DAEMON_IDLE_EXIT"):
        driver.daemon.status()
    until(lambda: not daemons.pids(), what="the daemon to end")


def test_two_never_have_one_store(home: Home, daemons: Daemons, tmp_path: Path) -> None:
    pid = daemons.pid()
    with pytest.raises(StoreInUse, match=str(pid)):
        zdriver.open()
    with zdriver.connect() as driver:
        driver.daemon.stop()
    daemons.gone(pid)
    with zdriver.open() as driver:
        driver.context.set_intent("in this process", place=zdriver.here())
        with pytest.raises(Unavailable, match="needs the daemon"):
            driver.daemon.status()


# -- while it runs ---------------------------------------------------------------------------


def test_a_removed_socket_comes_back(daemons: Daemons) -> None:
    pid = daemons.pid()
    with zdriver.connect() as connected:
        connected.daemon.status()
        daemons.socket.unlink()
        until(daemons.socket.exists, what="the socket to be there again")
        assert daemons.pid() == pid
        assert connected.daemon.status().pid == pid


@pytest.mark.parametrize("umask", ["000", "777"])
def test_whatever_the_umask_only_its_user_gets_at_its_files(home: Home, daemons: Daemons, umask: str) -> None:
    shutil.rmtree(home.path / ".local")
    script = f'umask {umask}; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *daemons.program, "intent", "mine"],
        env=home.env,
        cwd=home.path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    made = [path for top in (home.path / ".local", paths.runtime_dir()) for path in (top, *top.rglob("*"))]
    modes = {str(path): stat.S_IMODE(path.lstat().st_mode) for path in made}
    assert {path: oct(mode) for path, mode in modes.items() if mode not in (0o700, 0o600)} == {}


def test_a_removed_runtime_folder_is_survived(daemons: Daemons) -> None:
    first = daemons.pid()
    shutil.rmtree(paths.runtime_dir())
    with zdriver.connect() as driver:
        driver.context.set_intent("still", place=zdriver.here())
    daemons.gone(first)
    assert [daemons.pid()] == daemons.pids()


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


# -- its end ---------------------------------------------------------------------------------


def test_it_ends_when_nobody_has_used_it_for_a_while(
    daemons: Daemons, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZDRIVER_DAEMON_IDLE_EXIT", "1")
    with zdriver.connect() as driver:
        pid = driver.daemon.status().pid
        started = driver.daemon.status().started_at
        # Connected means used: it outlives its own limit by far.
        until(lambda: (driver.daemon.status().started_at, _age(pid) > 4) == (started, True), what="4 s")
    daemons.gone(pid)
    until(lambda: not daemons.fork_servers(), what="the fork server to end")
    assert not daemons.socket.exists()
    assert "ending: idle" in daemons.log()


def _age(pid: int) -> float:
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    return uptime - ticks / os.sysconf("SC_CLK_TCK")


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
    until(lambda: not daemons.fork_servers(), what="the fork server to end")


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


def test_in_the_foreground_it_logs_to_the_terminal(home: Home, daemons: Daemons) -> None:
    main = Path(zdriver.__file__).parent / "daemon" / "__main__.py"
    running = subprocess.Popen(
        [sys.executable, "-P", str(main)], env=home.env, stderr=subprocess.PIPE, text=True
    )
    assert running.stderr is not None
    until(lambda: daemons.socket.exists(), what="the socket")
    assert daemons.pid() == running.pid
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 0
    assert "serving" in said


def test_a_second_one_in_the_foreground_leaves_the_first_alone(home: Home, daemons: Daemons) -> None:
    pid = daemons.pid()
    main = Path(zdriver.__file__).parent / "daemon" / "__main__.py"
    second = subprocess.run(
        [sys.executable, "-P", str(main)], env=home.env, stderr=subprocess.PIPE, text=True, timeout=30
    )
    assert second.returncode == 4
    assert "already running" in second.stderr
    assert daemons.pid() == pid


# -- nothing is lost -------------------------------------------------------------------------


class Storm:
    """Threads that record milestones as fast as they can, and remember those acknowledged."""

    def __init__(self, place: Place, writers: int = 4) -> None:
        self.acknowledged: list[str] = []
        self.failed: list[str] = []
        self._place = place
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(writers)]
        for thread in self._threads:
            thread.start()

    def _write(self, writer: int) -> None:
        with zdriver.connect() as driver:
            number = 0
            while not self._over.is_set():
                text = f"writer {writer} step {number}"
                number += 1
                try:
                    driver.context.record_milestone(text, place=self._place)
                except zdriver.ZdriverError as error:
                    self.failed.append(f"{text}: {error}")
                else:
                    self.acknowledged.append(text)

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)


def _recorded(place: Place) -> list[str]:
    with zdriver.connect() as driver:
        found = driver.context.history(limit=1000)
        while page := driver.context.history(limit=1000, before=found[-1].id):
            found += page
    return [entry.text for entry in found]


def test_sigkill_in_a_storm_of_saves_fifty_times_loses_no_acknowledged_one(
    home: Home, daemons: Daemons
) -> None:
    place = Place(cwd=str(home.path))
    storm = Storm(place)
    try:
        for _ in range(50):
            before = len(storm.acknowledged)
            until(lambda: len(storm.acknowledged) > before + 5, what="some saves", deadline=60)  # noqa: B023 at once
            pid = daemons.pid()
            daemons.kill(pid)
            daemons.gone(pid)
    finally:
        storm.end()
    recorded = _recorded(place)
    assert set(storm.acknowledged) - set(recorded) == set()
    assert len(recorded) == len(set(recorded)), "a repeated call was done twice"


def test_a_graceful_stop_in_a_storm_fails_nobody(home: Home, daemons: Daemons) -> None:
    place = Place(cwd=str(home.path))
    storm = Storm(place)
    try:
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            before = len(storm.acknowledged)
            until(lambda: len(storm.acknowledged) > before + 20, what="some saves", deadline=60)  # noqa: B023 at once
            pid = daemons.pid()
            daemons.kill(pid, number)
            daemons.gone(pid)
    finally:
        storm.end()
    assert storm.failed == []
    recorded = _recorded(place)
    assert sorted(recorded) == sorted(storm.acknowledged)
