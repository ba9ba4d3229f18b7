"""Processes and peers: Linux's own ways, and the portable ones beside them, asked about real processes."""

from __future__ import annotations

import os
import pty
import select
import shlex
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zdriver.core import platform
from zdriver.testing import until

WAIT = "import sys; sys.stdin.read()"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ps` and `lsof` may take their time on a busy machine."""
    monkeypatch.setattr(platform, "_TOOL_TIMEOUT", 60.0)


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process with odd arguments in a folder with a blank in its name."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    command = [sys.executable, "-c", WAIT, "two words", "", "ü\n"]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE) as started:
        # Until it has executed itself, it is still a copy of this process.
        until(lambda: platform.argv(started.pid)[-1:] == ("ü\n",), what="it to be there")
        yield started
        started.kill()


# -- peers -----------------------------------------------------------------------------------


def test_a_peer_is_known_by_pid_uid_and_gid() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert platform.peer(ours) == (os.getpid(), os.getuid(), os.getgid())


def test_credentials_as_bsd_gives_them() -> None:
    groups = [20, 12, 61, *[0] * 13]
    data = struct.pack("=IIh2x16I", 0, 501, 3, *groups)
    assert platform.parse_xucred(data) == (0, 501, 20)
    for wrong in (b"", data[:12], struct.pack("=IIh2x16I", 1, 501, 3, *groups)):
        with pytest.raises(OSError, match="credentials"):
            platform.parse_xucred(wrong)


# -- processes -------------------------------------------------------------------------------


def test_both_ways_know_the_same_of_a_process(waiting: subprocess.Popen[bytes]) -> None:
    linux, portable = platform.process(waiting.pid), platform.process_ps(waiting.pid)
    assert linux is not None
    assert portable is not None
    assert linux[:5] == portable[:5]
    assert linux.parent == os.getpid()
    assert linux.started
    assert portable.started
    assert waiting.pid in platform.children(os.getpid())
    assert waiting.pid in platform.children_ps(os.getpid())
    assert waiting.pid in platform.group_members(linux.group)
    assert waiting.pid in platform.group_ps(linux.group)


def test_the_start_is_known_in_microseconds(waiting: subprocess.Popen[bytes]) -> None:
    portable = platform.process_ps(waiting.pid)
    assert portable is not None
    started = platform.started_us(waiting.pid)
    assert abs(started - time.time_ns() // 1000) < 60_000_000
    assert abs(started - platform.started_us_ps(portable.started)) < 2_000_000
    assert platform.started_us_ps("no date") == 0


def test_arguments_are_exact(waiting: subprocess.Popen[bytes]) -> None:
    assert platform.argv(waiting.pid) == (sys.executable, "-c", WAIT, "two words", "", "ü\n")
    assert platform.argv_ps(waiting.pid)[:2] == (sys.executable, "-c")


def test_the_folder_is_known_both_ways(waiting: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert platform.cwd(waiting.pid) == str(tmp_path / "a folder")
    assert platform.cwd_lsof(waiting.pid) == str(tmp_path / "a folder")
    (tmp_path / "a folder").rmdir()
    assert platform.cwd(waiting.pid) == ""


@pytest.mark.parametrize(
    "ask",
    [platform.process, platform.process_ps, platform.argv, platform.cwd, platform.cwd_lsof],
)
def test_a_zombie_and_nobody_are_gone(ask: Callable[[int], object]) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    until(lambda: Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1][1] == "Z", what="a zombie")
    assert not ask(pid)
    os.waitpid(pid, 0)
    assert not ask(pid)


@pytest.mark.parametrize("name", ["a) b (c", "x)", "((", ") R 1 2 3 4 5"])
def test_a_name_with_brackets_confuses_nobody(tmp_path: Path, name: str) -> None:
    """/proc/PID/stat has the name in brackets, whatever is in it."""
    program = tmp_path / name
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "1000"]) as started:
        until(lambda: platform.argv(started.pid)[-1:] == ("1000",), what="it to be there")
        process = platform.process(started.pid)
        assert process is not None
        assert process.parent == os.getpid()
        assert platform.glance(started.pid) == (process.tty_group, name[:15])
        started.kill()
    assert platform.glance(started.pid) == (0, "")


# -- what has the terminal -------------------------------------------------------------------


class Shell:
    """An interactive bash in a terminal of its own, with job control."""

    def __init__(self) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
        self.type("PS1='rea''dy '")
        self.wait_for(b"ready ")

    def type(self, line: str) -> None:
        os.write(self._fd, line.encode() + b"\n")

    def wait_for(self, text: bytes) -> None:
        seen = b""
        while text not in seen:
            assert select.select([self._fd], [], [], 20)[0], seen
            seen += os.read(self._fd, 4096)

    def foreground(self) -> tuple[str, ...]:
        return platform.argv(platform.foreground(self.pid))

    def end(self) -> None:
        os.close(self._fd)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


@pytest.fixture
def shell() -> Iterator[Shell]:
    made = Shell()
    yield made
    made.end()


def test_an_idle_shell_is_its_own_foreground(shell: Shell) -> None:
    assert platform.foreground(shell.pid) == shell.pid


def test_a_command_and_then_the_shell_again(shell: Shell) -> None:
    shell.type("sleep 1000")
    until(lambda: shell.foreground() == ("sleep", "1000"), what="the command")
    os.write(shell._fd, b"\x03")
    until(lambda: platform.foreground(shell.pid) == shell.pid, what="the shell")


def test_a_job_in_the_background_does_not_count(shell: Shell) -> None:
    shell.type("sleep 1000 & echo star''ted")
    shell.wait_for(b"started")
    assert platform.foreground(shell.pid) == shell.pid


def test_a_pipeline_whose_first_command_ended(shell: Shell) -> None:
    first = shlex.join([sys.executable, "-c", "print()"])
    shell.type(f"{first} | sleep 1000")
    until(lambda: shell.foreground() == ("sleep", "1000"), what="the one that is left")


def test_nobody_has_no_foreground() -> None:
    started = subprocess.Popen(["true"])
    started.wait()
    assert platform.foreground(started.pid) == 0


# -- watching --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [platform.watch, platform.PidfdWatch, platform.PollingWatch])
def test_the_end_of_a_process_is_noticed(kind: Callable[[int], platform.Watch]) -> None:
    started = subprocess.Popen([sys.executable, "-c", WAIT], stdin=subprocess.PIPE)
    with kind(started.pid) as watch:
        assert not watch.wait(0.05)
        assert select.select([watch.fileno()], [], [], 0)[0] == []
        started.kill()
        started.wait()
        assert watch.wait(20)
        assert select.select([watch.fileno()], [], [], 20)[0] == [watch.fileno()]
        assert watch.wait(0)
    assert started.stdin is not None
    started.stdin.close()


@pytest.mark.parametrize("kind", [platform.watch, platform.PidfdWatch, platform.PollingWatch])
def test_nobody_cannot_be_watched(kind: Callable[[int], platform.Watch]) -> None:
    started = subprocess.Popen(["true"])
    started.wait()
    with pytest.raises(ProcessLookupError):
        kind(started.pid)


def test_a_child_may_end_with_its_parent() -> None:
    code = """
import subprocess, sys
from zdriver.core import platform
platform.prepare_die_with_parent()
child = subprocess.Popen(["sleep", "1000"], preexec_fn=platform.die_with_parent)
print(child.pid, flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert platform.process(child) is not None
        parent.kill()
    until(lambda: platform.process(child) is None, what="the child to end")


def test_the_boot_has_an_id() -> None:
    assert len(platform.boot_id()) == 36
