"""How the daemon starts: by itself, once, for its user alone, or with the reason why it cannot."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import zdriver
from tests.integration.daemons import Daemons
from zdriver.core import paths, platform
from zdriver.core.errors import InvalidInput, StoreInUse, Unavailable
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


def test_the_first_call_starts_it_and_the_next_finds_it(daemons: Daemons) -> None:
    assert daemons.pids() == []
    pid = daemons.pid()
    assert daemons.pid() == pid
    daemons.wait_only(pid)
    assert daemons.fork_server()


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
    pid = daemons.pid()
    assert {out for out, _ in said} == {f"{pid}\n"}, said
    daemons.wait_only(pid)


def test_a_stale_socket_is_replaced(daemons: Daemons) -> None:
    paths.private_dir(paths.runtime_dir())
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(paths.daemon_socket()))
    daemons.wait_only(daemons.pid())


@pytest.mark.parametrize("runtime", ["", "missing", "too/" + "l" * 90])
def test_it_works_without_a_usable_xdg_runtime_dir(
    home: Home, daemons: Daemons, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    value = str(home.path / runtime) if runtime else ""
    if runtime.startswith("too"):
        Path(value).mkdir(parents=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    daemons.wait_only(daemons.pid())
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
    daemons.wait_only(pid)


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
    # What is being copied has another name until that is done.
    until(lambda: list(paths.data_dir().glob("backups/daily-*.db")), what="the daily copy")
    made = [path for top in (home.path / ".local", paths.runtime_dir()) for path in (top, *top.rglob("*"))]
    modes = {str(path): stat.S_IMODE(path.lstat().st_mode) for path in made}
    assert {path: oct(mode) for path, mode in modes.items() if mode not in (0o700, 0o600)} == {}


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


#: The daemon in the foreground; a signal comes as soon as it can be connected to.
_SIGNALLED = """
import os, signal, sys
from zdriver.daemon import process
class Server(process.Server):
    def start(self):
        super().start()
        os.kill(os.getpid(), signal.SIGTERM)
process.Server = Server
sys.exit(process.run())
"""


def test_told_to_end_by_the_first_who_is_answered_it_ends_in_order(home: Home, daemons: Daemons) -> None:
    running = _python(home, _SIGNALLED)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    assert "ending: stop" in said
    assert not daemons.socket.exists()


def test_a_second_one_in_the_foreground_leaves_the_first_alone(home: Home, daemons: Daemons) -> None:
    pid = daemons.pid()
    main = Path(zdriver.__file__).parent / "daemon" / "__main__.py"
    second = subprocess.run(
        [sys.executable, "-P", str(main)], env=home.env, stderr=subprocess.PIPE, text=True, timeout=30
    )
    assert second.returncode == 4
    assert "already running" in second.stderr
    assert daemons.pid() == pid
