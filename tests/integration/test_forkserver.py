"""A command that the fork server runs is like one that was started: terminal, folder, signals, end.

A copy of the package, in which `probe.py` is the command line, shows what a command sees.
"""

from __future__ import annotations

import array
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pexpect
import pytest

import zdriver
from tests.integration import probe
from tests.integration.daemons import Daemons
from zdriver.core import paths, platform
from zdriver.testing import Home, until


class Copy:
    """The package in a folder of its own, with the probe as its commands, and its daemon running."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home = home
        self.daemons = Daemons(home)
        self.package = folder / "zdriver"
        source = Path(zdriver.__file__).parent
        shutil.copytree(source, self.package, ignore=shutil.ignore_patterns("__pycache__", "*.wasm"))
        shutil.copy(probe.__file__, self.package / "cli" / "main.py")
        self.env = {**home.env, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        self.argv = [sys.executable, str(self.package / "data" / "bin" / "zdriver")]
        self._started: list[subprocess.Popen[str]] = []
        self.start()

    def start(self) -> None:
        code = "import zdriver; print(zdriver.connect().daemon.status().pid)"
        self.daemon = int(subprocess.check_output([sys.executable, "-c", code], env=self.env, timeout=60))
        until(self.forks, what="the fork server to serve", deadline=20)

    def end(self) -> None:
        """Of what a failed test left."""
        for started in self._started:
            if started.returncode is None:
                started.kill()
                started.communicate(timeout=20)

    def forks(self) -> bool:
        """Whether commands are run by the fork server: the process they say they are is not ours."""
        started = self.popen("where")
        said, _ = started.communicate(timeout=30)
        return int(said.split()[1]) != started.pid

    def popen(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        settings: dict[str, Any] = {"env": self.env, "cwd": self.home.path, "text": True}
        settings |= {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started: subprocess.Popen[str] = subprocess.Popen([*self.argv, *words], **{**settings, **options})
        self._started.append(started)
        return started

    def run(self, *words: str, **options: Any) -> tuple[int, str, str]:
        given = options.pop("input", None)
        if given is not None:
            options["stdin"] = subprocess.PIPE
        started = self.popen(*words, **options)
        out, err = started.communicate(given, timeout=60)
        return started.returncode, out, err

    def terminal(self, *words: str, **options: Any) -> Terminal:
        return Terminal(self, words, options)

    def facts(self, *words: str, **options: Any) -> dict[str, Any]:
        code, out, err = self.run("facts", *words, **options)
        assert code == 0, err
        found: dict[str, Any] = json.loads(out)
        return found


class Terminal:
    """A command in a pseudo-terminal of its own, where it is the foreground job."""

    def __init__(self, copy: Copy, words: tuple[str, ...], options: dict[str, Any]) -> None:
        self.spawned = pexpect.spawn(
            copy.argv[0],
            [*copy.argv[1:], *words],
            env=copy.env,
            cwd=str(copy.home.path),
            encoding="utf-8",
            timeout=20,
            **options,
        )

    def read(self, pattern: str) -> tuple[str, ...]:
        """The groups of the pattern, when it has come."""
        self.spawned.expect(pattern)
        match = self.spawned.match
        assert isinstance(match, re.Match)
        return match.groups()

    def ending(self) -> int:
        """Exit code as a shell shows it."""
        self.spawned.expect(pexpect.EOF)
        self.spawned.close()
        if self.spawned.signalstatus is not None:
            return 128 + self.spawned.signalstatus
        assert self.spawned.exitstatus is not None
        return int(self.spawned.exitstatus)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.spawned.close(force=True)


@pytest.fixture
def copy(home: Home, tmp_path: Path) -> Iterator[Copy]:
    made = Copy(home, tmp_path / "copy")
    yield made
    made.end()


IN_PLACE = {"ZDRIVER_NO_FORK": "1"}


# -- what a command sees ---------------------------------------------------------------------


def test_it_sees_what_it_would_see_in_place(copy: Copy, tmp_path: Path) -> None:
    env = {**copy.env, "LANG": "C.UTF-8", "MARK": "ä", "TZ": "Asia/Tokyo"}
    folder = tmp_path / "with spaces"
    folder.mkdir()
    words = ("", "two words", "ümlaut", "--flag=x")
    options: dict[str, Any] = {"cwd": folder, "umask": 0o027}
    forked = copy.facts(*words, env=env, **options)
    placed = copy.facts(*words, env={**env, **IN_PLACE}, **options)
    assert placed["environ"].pop("ZDRIVER_NO_FORK") == "1"
    assert forked == placed
    assert (forked["umask"], forked["zone"], forked["cwd"]) == (0o027, "JST", str(folder))
    assert forked["environ"]["MARK"] == "ä"


@pytest.mark.parametrize("lang", ["C", "C.UTF-8", "en_US.UTF-8"])
def test_streams_are_as_python_makes_them(copy: Copy, lang: str) -> None:
    env = {**copy.env, "LANG": lang}
    assert copy.facts(env=env)["streams"] == copy.facts(env={**env, **IN_PLACE})["streams"]


def test_bytes_that_are_no_text_pass(copy: Copy) -> None:
    """In arguments, environment and the folder's name."""
    argv = [*map(os.fsencode, copy.argv), b"facts", b"\xff\xfe"]
    env = {**{os.fsencode(k): os.fsencode(v) for k, v in copy.env.items()}, b"ODD": b"\xff"}
    said = subprocess.check_output(argv, env=env, cwd=copy.home.path, timeout=30)
    facts = json.loads(said)
    assert (facts["argv"][-1], facts["environ"]["ODD"]) == ("\udcff\udcfe", "\udcff")


def test_a_megabyte_of_arguments_and_environment_passes(copy: Copy) -> None:
    env = {**copy.env, **{f"BIG{i}": "x" * 100_000 for i in range(6)}}
    facts = copy.facts(*["y" * 100_000] * 4, env=env)
    assert len(facts["argv"]) == 6
    assert all(len(facts["environ"][f"BIG{i}"]) == 100_000 for i in range(6))


def test_a_deleted_folder_is_the_folder_it_is_in(copy: Copy, tmp_path: Path) -> None:
    doomed = tmp_path / "doomed"
    doomed.mkdir()
    script = 'rmdir "$PWD"; exec "$@"'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *copy.argv, "facts"],
        env=copy.env,
        cwd=doomed,
        capture_output=True,
        timeout=30,
    )
    assert json.loads(done.stdout)["cwd"] == ""


def test_callers_at_the_same_time_do_not_see_each_other(copy: Copy) -> None:
    wrong: list[object] = []

    def call(number: int) -> None:
        folder = copy.home.path / f"folder{number}"
        folder.mkdir()
        env = {**copy.env, "NUMBER": str(number), f"ONLY{number}": "x"}
        facts = copy.facts(str(number), env=env, cwd=folder)
        only = [key for key in facts["environ"] if key.startswith("ONLY")]
        seen = (facts["argv"][2], facts["environ"]["NUMBER"], only, facts["cwd"])
        if seen != (str(number), str(number), [f"ONLY{number}"], str(folder)):
            wrong.append(seen)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


# -- streams and terminals -------------------------------------------------------------------


def test_stdin_stdout_and_stderr_are_the_callers(copy: Copy) -> None:
    text = "line\n" * 100_000
    assert copy.run("copy", input=text) == (0, text, "")
    assert copy.run("exit", "7") == (7, "out\n", "err\n")


def test_a_terminal_is_the_callers_with_its_size(copy: Copy) -> None:
    with copy.terminal("size", dimensions=(33, 121)) as terminal:
        terminal.spawned.expect("size 121 33")
        assert terminal.ending() == 0
    with copy.terminal("facts") as terminal:
        assert json.loads(terminal.read(r"(\{.*\})\r\n")[0])["ttys"] == [True, True, True]


def test_it_can_ask_and_be_answered(copy: Copy) -> None:
    with copy.terminal("ask") as terminal:
        terminal.spawned.expect("what\\? ")
        terminal.spawned.sendline("nothing")
        terminal.spawned.expect("you said nothing")
        assert terminal.ending() == 0


def test_a_closed_stdin_is_no_problem(copy: Copy) -> None:
    script = '"$@" <&-'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *copy.argv, "where"], env=copy.env, capture_output=True, timeout=30
    )
    assert done.returncode == 0, done.stderr


# -- signals and ends ------------------------------------------------------------------------


def test_ctrl_c_interrupts_the_command(copy: Copy) -> None:
    with copy.terminal("wait") as terminal:
        pids = map(int, terminal.read(r"(\d+) (\d+)\r"))
        terminal.spawned.sendintr()
        assert terminal.ending() == 130
    _gone(*pids)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_ends_command_and_caller_alike(copy: Copy, number: int) -> None:
    caller = copy.popen("wait", stdin=subprocess.PIPE)
    assert caller.stdout is not None
    pids = list(map(int, caller.stdout.readline().split()))
    caller.send_signal(number)
    caller.wait(20)
    caller.communicate(timeout=20)
    assert caller.returncode == -number
    _gone(*pids)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGPIPE])
def test_a_command_that_dies_of_a_signal_takes_its_caller_the_same_way(copy: Copy, number: int) -> None:
    placed = copy.run("die", str(int(number)), env={**copy.env, **IN_PLACE})[0]
    assert copy.run("die", str(int(number)))[0] == placed


def test_ctrl_z_stops_both_and_fg_goes_on(copy: Copy) -> None:
    caller = copy.popen("wait", stdin=subprocess.PIPE)
    assert caller.stdout is not None
    pid = int(caller.stdout.readline().split()[0])
    caller.send_signal(signal.SIGTSTP)
    for one in (pid, caller.pid):
        until(lambda: _state(one) == "T", what="both to be stopped")  # noqa: B023 at once
    caller.send_signal(signal.SIGCONT)
    for one in (pid, caller.pid):
        until(lambda: _state(one) == "S", what="both to go on")  # noqa: B023 at once
    assert caller.communicate(timeout=20)[0] == "done\n"
    assert caller.returncode == 0


def test_a_killed_caller_takes_its_command_along(copy: Copy) -> None:
    caller = copy.popen("wait", stdin=subprocess.PIPE)
    assert caller.stdout is not None
    pids = list(map(int, caller.stdout.readline().split()))
    caller.kill()
    caller.wait(20)
    _gone(*pids)
    caller.communicate(timeout=20)


def test_what_a_command_leaves_in_the_background_stays(copy: Copy) -> None:
    pid = int(copy.run("leave")[1])
    caller = copy.popen("wait", stdin=subprocess.PIPE)  # its end comes after that of the one before
    assert caller.stdout is not None
    others = list(map(int, caller.stdout.readline().split()))
    caller.kill()
    caller.communicate(timeout=20)
    _gone(*others)
    assert platform.process(pid) is not None


def test_what_is_not_caught_is_shown_and_fails(copy: Copy) -> None:
    code, out, err = copy.run("crash")
    assert (code, out) == (1, "")
    assert "RuntimeError: oops" in err


def _gone(*pids: int) -> None:
    for pid in pids:
        until(lambda: platform.process(pid) is None, what=f"the end of {pid}")  # noqa: B023 at once


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


# -- when it cannot, and when it changes -----------------------------------------------------


def test_it_can_be_switched_off(copy: Copy) -> None:
    started = copy.popen("where", env={**copy.env, **IN_PLACE})
    assert started.communicate(timeout=30)[0].split()[1] == str(started.pid)


@pytest.mark.parametrize("env", [{"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "de_DE@euro"}])
def test_another_encoding_runs_in_place(copy: Copy, env: dict[str, str]) -> None:
    started = copy.popen("where", env={**copy.env, **env})
    assert started.communicate(timeout=30)[0].split()[1] == str(started.pid)


def test_without_a_daemon_it_runs_in_place(copy: Copy) -> None:
    copy.daemons.kill(copy.daemon)
    copy.daemons.gone(copy.daemon)
    until(lambda: not copy.daemons.fork_servers(), what="the fork server to end")
    started = copy.popen("where")
    assert started.communicate(timeout=30)[0].split()[1] == str(started.pid)


def test_a_fork_server_that_hangs_costs_two_seconds_and_nothing_runs_twice(copy: Copy) -> None:
    (server,) = copy.daemons.fork_servers()
    marks = copy.home.path / "marks"
    os.kill(server, signal.SIGSTOP)
    started = copy.popen("where")
    said, _ = started.communicate(timeout=30)
    assert said.split()[1] == str(started.pid)
    os.kill(server, signal.SIGCONT)
    assert until(copy.forks, what="it to serve again")
    assert not marks.exists()


def test_a_fork_server_that_was_killed_is_replaced(copy: Copy) -> None:
    (server,) = copy.daemons.fork_servers()
    caller = copy.popen("wait", stdin=subprocess.PIPE)
    assert caller.stdout is not None
    caller.stdout.readline()
    until(lambda: _age(server) > 6, what="it to be old enough", deadline=20)
    os.kill(server, signal.SIGKILL)
    assert copy.run("where")[0] == 0
    assert caller.communicate(timeout=20)[0] == "done\n"
    assert caller.returncode == 0  # its command went on, and said how it ended
    until(copy.forks, what="another one")


def _age(pid: int) -> float:
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    return float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def test_an_upgrade_under_a_live_daemon(copy: Copy) -> None:
    """The new program runs at once (in place), the daemon becomes it, and no connection is refused."""
    long = copy.popen("wait", stdin=subprocess.PIPE)
    assert long.stdout is not None
    long.stdout.readline()
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
            deadline=5,
        )
        intent = driver.context.intent(place=place)
        assert intent is not None
        assert intent.text == "before"
        assert driver.daemon.status().pid == copy.daemon
    until(copy.forks, what="the new fork server", deadline=5)
    assert copy.run("where")[1].startswith("two ")
    assert long.communicate(timeout=20)[0] == "done\n"  # of the old program, to its end
    assert long.returncode == 0


def test_stopping_the_daemon_lets_commands_finish(copy: Copy) -> None:
    caller = copy.popen("wait", stdin=subprocess.PIPE)
    assert caller.stdout is not None
    caller.stdout.readline()
    with zdriver.connect(start=False) as driver:
        driver.daemon.stop()
    copy.daemons.gone(copy.daemon)
    assert caller.communicate(timeout=20)[0] == "done\n"
    assert caller.returncode == 0
    until(lambda: not copy.daemons.fork_servers(), what="the fork server to end")


# -- strangers -------------------------------------------------------------------------------


def test_whatever_is_sent_to_its_socket_harms_nobody(copy: Copy) -> None:
    (server,) = copy.daemons.fork_servers()
    folder = Path(f"/proc/{server}/fd")
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
    assert copy.forks()
    until(lambda: len(list(folder.iterdir())) == before, what="all descriptors to be closed", deadline=20)


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


# -- the real commands -----------------------------------------------------------------------


def test_real_commands_end_as_they_should(daemons: Daemons, home: Home) -> None:
    with zdriver.connect() as driver:
        for number in range(60):
            driver.context.record_milestone(f"{number} " + "x" * 5000, place=zdriver.here())
    until(paths.fork_socket().exists, what="the fork server")
    script = "zdriver history --json --limit 1000 | head -c 10 >/dev/null; echo ${PIPESTATUS[0]}"
    for env in ({}, IN_PLACE):
        done = subprocess.run(
            ["bash", "-c", script.replace("zdriver", '"$@"', 1), "bash", *daemons.program],
            env={**home.env, **env},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.stdout == "141\n", done.stderr
    waiting = pexpect.spawn(
        daemons.program[0], [*daemons.program[1:], "intent", "-"], env=home.env, timeout=20
    )
    (server,) = daemons.fork_servers()
    until(lambda: platform.children(server), what="it to be there", deadline=30)
    waiting.sendintr()
    waiting.expect(pexpect.EOF)
    waiting.close()
    assert waiting.exitstatus == 130
    assert daemons.run("no-such-command").returncode == 2
    assert daemons.run("intent", "-", input="from stdin").returncode == 0
    assert daemons.run("intent").stdout == "from stdin\n"
