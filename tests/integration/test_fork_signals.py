"""Signals reach a forked command through its caller, and it ends as the caller does."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import termios
from pathlib import Path

import pexpect
import pytest

import zdriver
from tests.integration.daemons import Daemons
from tests.integration.forkcopy import IN_PLACE, Copy, gone, relays
from zdriver.core import paths, platform
from zdriver.testing import Home, until


def test_ctrl_c_interrupts_the_command(copy: Copy) -> None:
    with copy.terminal("wait") as terminal:
        pids = map(int, terminal.read(r"(\d+) (\d+)\r"))
        terminal.spawned.sendintr()
        assert terminal.ending() == 130
    gone(*pids)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_ends_command_and_caller_alike(copy: Copy, number: int) -> None:
    caller, pids = copy.waiting()
    caller.send_signal(number)
    caller.wait(20)
    caller.communicate(timeout=20)
    assert caller.returncode == -number
    gone(*pids)


def test_nohup_is_for_the_command_too(copy: Copy) -> None:
    argv = ["nohup", *copy.argv, "wait"]
    caller = subprocess.Popen(argv, env=copy.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    pids = map(int, caller.stdout.readline().split())
    for pid in (caller.pid, *pids):
        os.kill(pid, signal.SIGHUP)
    assert caller.communicate(timeout=20)[0] == "done\n"
    assert caller.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGPIPE])
def test_a_command_that_dies_of_a_signal_takes_its_caller_the_same_way(copy: Copy, number: int) -> None:
    placed = copy.run("die", str(int(number)), env={**copy.env, **IN_PLACE})[0]
    assert copy.run("die", str(int(number)))[0] == placed


def test_ctrl_z_stops_both_and_fg_goes_on(copy: Copy) -> None:
    caller, (pid, _) = copy.waiting()
    until(lambda: relays(caller.pid), what="the caller to hand on what it gets")
    caller.send_signal(signal.SIGTSTP)
    for one in (pid, caller.pid):
        until(lambda: _state(one) == "T", what="both to be stopped")  # noqa: B023 at once
    caller.send_signal(signal.SIGCONT)
    for one in (pid, caller.pid):
        until(lambda: _state(one) == "S", what="both to go on")  # noqa: B023 at once
    assert caller.communicate(timeout=20)[0] == "done\n"
    assert caller.returncode == 0


def test_a_killed_caller_takes_its_command_along(copy: Copy) -> None:
    caller, pids = copy.waiting()
    caller.kill()
    caller.wait(20)
    gone(*pids)
    caller.communicate(timeout=20)


def test_what_a_command_leaves_in_the_background_stays(copy: Copy) -> None:
    pid = int(copy.run("leave")[1])
    caller, others = copy.waiting()  # its end comes after that of the one before
    caller.kill()
    caller.communicate(timeout=20)
    gone(*others)
    assert platform.process(pid) is not None


def test_what_is_not_caught_is_shown_and_fails(copy: Copy) -> None:
    code, out, err = copy.run("crash")
    assert (code, out) == (1, "")
    assert "RuntimeError: oops" in err


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
        daemons.program[0], [*daemons.program[1:], "intent", "-"], env=home.env, timeout=30
    )
    waiting.sendline("not to be kept")
    _wait_read(waiting, "not to be kept")
    waiting.sendintr()
    waiting.expect(pexpect.EOF)
    waiting.close()
    assert waiting.exitstatus == 130
    assert daemons.run("no-such-command").returncode == 2
    assert daemons.run("intent", "-", input="from stdin").returncode == 0
    assert daemons.run("intent").stdout == "from stdin\n"


def _wait_read(typed_in: pexpect.spawn[str], text: str) -> None:
    """Until what was typed has come to the terminal, and somebody has read it."""
    typed_in.expect_exact(f"{text}\r\n")  # its echo
    terminal = os.open(f"/proc/{typed_in.pid}/fd/0", os.O_RDWR | os.O_NOCTTY)
    try:
        until(lambda: not any(fcntl.ioctl(terminal, termios.FIONREAD, bytes(4))), what="it to be read")
    finally:
        os.close(terminal)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
