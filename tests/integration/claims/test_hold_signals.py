"""`claim --hold` among signals, terminals and jobs: its command hears what happens to the claim."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import zdriver
from tests.integration.commands import Cli
from tests.integration.daemons import program
from zdriver.claims.model import Claim
from zdriver.core import platform
from zdriver.core.errors import Conflict
from zdriver.testing import Home, Terminal, until

#: Says its pid, then what it is told, one word a line.
SAYS = """
trap 'echo term >>said; exit 3' TERM; trap 'echo int >>said; exit 4' INT; trap 'echo hup >>said; exit 5' HUP
trap 'echo cont >>said' CONT
echo $$ >pid
while :; do sleep 0.05; done
"""


@contextmanager
def holding(home: Home, project: Path, *words: str, script: str = SAYS) -> Iterator[subprocess.Popen[bytes]]:
    """A hold of feat-a by `one` in a session of its own, its command running."""
    process = subprocess.Popen(
        [*program(), "claim", "feat-a", "--agent", "one", *words, "--hold", "--", "sh", "-c", script],
        cwd=project, env=home.env, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        until(lambda: text(home, "pid"), what="its command", deadline=20)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def text(home: Home, name: str) -> str:
    """What the command wrote into the worktree."""
    file = home.path / "feat-a" / name
    return file.read_text() if file.exists() else ""


def held() -> tuple[Claim, ...]:
    with zdriver.connect() as driver:
        return driver.claims.list()


def released() -> None:
    until(lambda: not held(), what="the end of the claim", deadline=20)


def test_a_killed_hold_takes_its_command_along_and_the_next_has_it_within_the_lease(
    home: Home, project: Path
) -> None:
    with holding(home, project, "--lease", "2") as process:
        command = int(text(home, "pid"))
        os.kill(process.pid, signal.SIGKILL)  # it alone, not its command
        process.wait()
        until(lambda: platform.process(command) is None, what="the end of the command", deadline=20)
        assert text(home, "said") == "term\n"
        with zdriver.connect() as driver:
            assert driver.claims.claim("feat-a", agent="two", wait=30, cwd=str(project)).token == 2


@pytest.mark.parametrize(
    ("number", "said", "code"),
    [(signal.SIGTERM, "term", 3), (signal.SIGHUP, "hup", 5), (signal.SIGINT, "int", 4)],
)
def test_a_signal_to_it_is_for_its_command_which_says_how_it_ends(
    home: Home, project: Path, number: int, said: str, code: int
) -> None:
    with holding(home, project) as process:
        os.kill(process.pid, number)
        assert process.wait(20) == code
        assert text(home, "said") == f"{said}\n"
    released()


def test_a_signal_while_it_waits_ends_it_runs_nothing_and_leaves_the_queue(home: Home, project: Path) -> None:
    with zdriver.connect() as driver:
        driver.claims.claim("feat-a", agent="zero", cwd=str(project))
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            waits = subprocess.Popen(
                [*program(), "claim", "feat-a", "--wait", "300", "--hold", "--", "touch", "ran"],
                cwd=project, env=home.env, stderr=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
            until(lambda: driver.claims.list()[0].waiting == 1, what="a waiter", deadline=20)
            waits.send_signal(number)
            _, said = waits.communicate(timeout=20)
            assert (waits.returncode, b"Traceback" in said) == (128 + number, False), said
            until(lambda: driver.claims.list()[0].waiting == 0, what="no waiter", deadline=20)
        driver.claims.release("feat-a", agent="zero", cwd=str(project))
        assert driver.claims.list() == ()
    assert not (home.path / "feat-a/ran").exists()


def test_a_takeover_ends_a_command_that_does_not_listen(home: Home, project: Path) -> None:
    deaf = 'trap "" TERM; echo $$ >pid; while :; do sleep 0.1; done'
    with holding(home, project, "--lease", "6", script=deaf) as process:
        with zdriver.connect() as driver:
            driver.claims.take("feat-a", agent="two", reason="it hangs", cwd=str(project))
        _, said = process.communicate(timeout=60)
        assert process.returncode == 125
        assert b"two took it over at" in said
        assert platform.process(int(text(home, "pid"))) is None
    assert [claim.agent for claim in held()] == ["two"]


def test_a_command_that_leaves_a_process_behind_has_ended(cli: Cli, project: Path) -> None:
    script = "setsid sleep 120 >/dev/null 2>&1 </dev/null & exit 6"
    done = cli("claim", "feat-a", "--hold", "--", "sh", "-c", script, cwd=project)
    assert done.returncode == 6
    assert held() == ()


def test_standard_input_and_output_are_the_commands(cli: Cli, project: Path) -> None:
    done = cli("claim", "feat-a", "--hold", "--", "cat", stdin="one\ntwo", cwd=project)
    assert (done.returncode, done.stdout, done.stderr) == (0, "one\ntwo", "")
    done = cli("claim", "feat-a", "--hold", "--", "sh", "-c", "echo err >&2", cwd=project)
    assert (done.stdout, done.stderr) == ("", "err\n")


def test_a_file_that_is_no_program_and_one_that_may_not_be_run(cli: Cli, project: Path) -> None:
    plain = project.parent / "feat-a" / "plain"
    plain.write_text("no program")
    for mode, code in ((0o644, 126), (0o755, 126)):
        plain.chmod(mode)
        done = cli("claim", "feat-a", "--hold", "--", "./plain", cwd=project)
        assert (done.returncode, "cannot be run" in done.stderr) == (code, True)
    assert held() == ()


def test_on_a_terminal_ctrl_c_is_heard_once_and_ctrl_z_stops_and_goes_on(home: Home, project: Path) -> None:
    hold = " ".join(
        [*program(), "claim", "feat-a", "--agent", "one", "--hold", "--", "sh", "-c", "'. ./says'"]
    )
    (home.path / "feat-a" / "says").write_text(SAYS)
    environment = {**home.env, "PS1": "$ "}
    with Terminal(["/bin/bash", "--norc", "-i"], env=environment, cwd=project) as terminal:
        terminal.write("stty -a >before\n")
        terminal.write(f"{hold}\n")
        until(lambda: text(home, "pid"), what="its command", deadline=20)
        terminal.write("\x1a")
        terminal.wait_for("Stopped", deadline=20)
        assert [claim.agent for claim in held()] == ["one"], "stopped, not ended: its lease runs"
        terminal.write("fg\n")
        until(lambda: "cont" in text(home, "said"), what="that it goes on", deadline=20)
        terminal.write("\x03")
        terminal.write("echo code=$?\n")
        terminal.wait_for("code=4", deadline=20)
        assert text(home, "said").count("int") == 1
        terminal.write("stty -a >after; echo compared\n")
        terminal.wait_for("\ncompared", deadline=20)
    released()
    assert (project / "after").read_text() == (project / "before").read_text()


def test_stopped_for_longer_than_its_lease_it_has_lost_it_and_hears_so_when_it_goes_on(
    home: Home, project: Path
) -> None:
    with holding(home, project, "--lease", "4") as process:
        os.killpg(process.pid, signal.SIGSTOP)
        with zdriver.connect() as driver:
            taken = driver.claims.claim("feat-a", agent="two", wait=60, cwd=str(project))
            with pytest.raises(Conflict):
                driver.claims.check("feat-a", agent="one", token=taken.token - 1, cwd=str(project))
        os.killpg(process.pid, signal.SIGCONT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 125
        assert b"and two has it now" in said
        assert "term" in text(home, "said")
