"""The fork server's life: switched off, hanging, killed, replaced, upgraded; and strangers on its socket."""

from __future__ import annotations

import array
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import zdriver
from tests.integration.daemons import age
from tests.integration.forkcopy import IN_PLACE, Copy
from zdriver.core import paths
from zdriver.daemon import forkspare
from zdriver.testing import until


def test_it_can_be_switched_off(copy: Copy) -> None:
    started = copy.popen("where", env={**copy.env, **IN_PLACE})
    assert started.communicate(timeout=30)[0].split()[1] == str(started.pid)


@pytest.mark.parametrize("env", [{"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "de_DE@euro"}])
def test_another_encoding_runs_in_place(copy: Copy, env: dict[str, str]) -> None:
    started = copy.popen("where", env={**copy.env, **env})
    assert started.communicate(timeout=30)[0].split()[1] == str(started.pid)


def test_without_a_daemon_it_runs_in_place(copy: Copy) -> None:
    copy.daemons.kill(copy.daemon)
    copy.daemons.wait_none()
    started = copy.popen("where")
    assert started.communicate(timeout=30)[0].split()[1] == str(started.pid)


def test_a_fork_server_that_hangs_costs_two_seconds_and_nothing_runs_twice(copy: Copy) -> None:
    server = copy.daemons.fork_server()
    marks = copy.home.path / "marks"
    os.kill(server, signal.SIGSTOP)
    started = copy.popen("mark", str(marks))
    started.communicate(timeout=30)
    os.kill(server, signal.SIGCONT)
    assert until(copy.forks, what="it to serve again")
    assert marks.read_text() == f"{started.pid}\n"


def test_a_fork_server_that_was_killed_is_replaced(copy: Copy) -> None:
    server = copy.daemons.fork_server()
    caller, _ = copy.waiting()
    until(lambda: age(server) > 6, what="it to be old enough")
    os.kill(server, signal.SIGKILL)
    assert copy.run("where")[0] == 0
    assert caller.communicate(timeout=20)[0] == "done\n"
    assert caller.returncode == 0  # its command went on, and said how it ended
    until(copy.forks, what="another one")


# ---- the spare child -----------------------------------------------------------------------


def spare(copy: Copy) -> int:
    """The child that waits for the next command, as soon as there is one alone."""
    ran = int(copy.run("where")[1].split()[1])

    def alone() -> int:
        found = copy.daemons.forked()
        return found[0] if len(found) == 1 and found != [ran] else 0

    return until(alone, what="a spare")


def run_by_spare(copy: Copy) -> bool:
    """While it warms up, a command has a child of its own."""
    expected = spare(copy)
    return copy.run("where")[1].split()[1] == str(expected)


def test_the_next_command_is_run_by_the_spare_and_another_takes_its_place(copy: Copy) -> None:
    for _ in range(3):
        until(lambda: run_by_spare(copy), what="a spare that runs a command")
    facts = copy.facts("one", "two", env={**copy.env, "ONLY_HERE": "yes"})
    assert facts["argv"][1:] == ["facts", "one", "two"]
    assert facts["environ"]["ONLY_HERE"] == "yes"
    assert facts["cwd"] == str(copy.home.path)


def test_what_a_spare_cannot_take_has_a_child_of_its_own(copy: Copy) -> None:
    kept = spare(copy)
    long = {**copy.env, **{f"LONG_{number}": "x" * 30_000 for number in range(3)}}
    code, out, _ = copy.run("where", env=long)
    assert code == 0
    assert int(out.split()[1]) not in (kept, *copy.daemons.fork_servers())
    until(lambda: run_by_spare(copy), what="the spare to be of use again")


def test_a_spare_that_was_killed_is_not_missed(copy: Copy) -> None:
    killed = spare(copy)
    os.kill(killed, signal.SIGKILL)
    code, out, _ = copy.run("where")
    assert code == 0
    assert int(out.split()[1]) not in (killed, *copy.daemons.fork_servers())
    assert spare(copy) != killed


def test_a_spare_ends_with_its_server_and_after_half_a_minute(copy: Copy) -> None:
    first = spare(copy)
    assert forkspare.LIFE <= 30
    copy.daemons.gone(first, deadline=60)
    server = copy.daemons.fork_server()
    second = spare(copy)
    os.kill(server, signal.SIGKILL)
    copy.daemons.gone(second)


def test_an_upgrade_under_a_live_daemon(copy: Copy) -> None:
    """The new program runs at once (in place), the daemon becomes it, and no connection is refused."""
    long, _ = copy.waiting()
    place = zdriver.here()
    with zdriver.connect() as driver:
        driver.context.set_intent("before", place=place)
        main = copy.package / "cli" / "main.py"
        main.write_text(main.read_text().replace('VERSION = "one"', 'VERSION = "two"'))
        assert copy.run("where")[1].startswith("two ")
        old = driver.daemon.status().build
        code = "import zdriver; print(zdriver.connect().daemon.status().build)"
        ask = [sys.executable, "-c", code]
        until(
            lambda: subprocess.check_output(ask, env=copy.env, text=True, timeout=30).strip() != old,
            what="the daemon to be the new program",
        )
        intent = driver.context.intent(place=place)
        assert intent is not None
        assert intent.text == "before"
        assert driver.daemon.status().pid == copy.daemon
    until(copy.forks, what="the new fork server")
    assert copy.run("where")[1].startswith("two ")
    assert long.communicate(timeout=20)[0] == "done\n"  # of the old program, to its end
    assert long.returncode == 0


def test_stopping_the_daemon_lets_commands_finish(copy: Copy) -> None:
    caller, _ = copy.waiting()
    with zdriver.connect(start=False) as driver:
        driver.daemon.stop()
    copy.daemons.gone(copy.daemon)
    assert caller.communicate(timeout=20)[0] == "done\n"
    assert caller.returncode == 0
    copy.daemons.wait_none()


def test_whatever_is_sent_to_its_socket_harms_nobody(copy: Copy) -> None:
    server = copy.daemons.fork_server()
    folder = Path(f"/proc/{server}/fd")
    assert spare(copy)  # no command is under way any more
    before = len(list(folder.iterdir()))
    null = os.open(os.devnull, os.O_RDWR)
    hostile = (
        (b"", 0),
        (b"zd1 ", 4),
        (b"GET / HTTP/1.1\r\n\r\n", 0),
        (b"zd1 ffffffff\n", 4),
        (b"zd1 xxxxxxxx\n", 4),
        (b"zd1 -0000001\n", 1),
        (b"zd1 00000004\nabcd", 4),
        (b"zd1 00000004\nabcdefgh", 4),
        (b"zd1 00000004\nabcd", 3),
        (b"zd1 00000004\nabcd", 100),
        (b"zd1 00000000\n", 4),
        (b"g", 0),
        (os.urandom(5000), 0),
    )
    for data, count in hostile * 5:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            sock.connect(os.fspath(paths.fork_socket()))
            fds = array.array("i", [null] * count)
            sock.sendmsg([data or b"z"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if count else [])
    os.close(null)
    until(copy.forks, what="it to serve again")
    until(lambda: len(list(folder.iterdir())) <= before, what="all descriptors to be closed")


def test_a_hundred_waiting_strangers_do_not_block_a_command(copy: Copy) -> None:
    """More than it lets in: the command runs, here or there."""
    strangers = []
    for _ in range(100):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(os.fspath(paths.fork_socket()))
        strangers.append(sock)
    assert copy.run("where")[0] == 0
    for sock in strangers:
        sock.close()
    assert until(copy.forks, what="it to serve again")


def test_another_user_is_refused(copy: Copy) -> None:
    for folder in (paths.fork_socket(), *paths.fork_socket().parents):
        if folder == Path("/tmp"):
            break
        folder.chmod(0o777)
    code = (
        "import socket,sys;s=socket.socket(socket.AF_UNIX);s.settimeout(20);"
        "s.connect(sys.argv[1]);print(s.recv(9))"
    )
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    command = [*as_nobody, "/usr/bin/python3", "-c", code, str(paths.fork_socket())]
    assert subprocess.check_output(command, timeout=30, cwd="/", text=True).strip() == "b'no\\n'"
    started = copy.popen("where")  # nor does a client trust a folder that others can write
    assert started.communicate(timeout=30)[0].split()[1] == str(started.pid)
