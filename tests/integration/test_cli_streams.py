"""Terminals, pipes and signals: what a command prints where, and how it ends."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.integration.commands import Cli, in_terminal
from tests.integration.daemons import program
from zdriver.testing import Home


def test_colours_are_for_terminals(home: Home, cli: Cli) -> None:
    assert "\x1b[" not in cli("intent", "x").stdout
    assert "\x1b[" in cli("intent", "y", FORCE_COLOR="1").stdout
    assert "\x1b[" not in cli("intent", "z", FORCE_COLOR="1", NO_COLOR="1").stdout


def test_a_closed_pipe_is_141_and_silent(home: Home) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*program(), "config", "show"], env=home.env, stdout=writing, stderr=subprocess.PIPE, check=False
    )
    os.close(writing)
    assert done.returncode == 141
    assert done.stderr == b""


@pytest.mark.parametrize("no_fork", ["", "1"])
@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ('"$@" intent >&-', 0, []),
        ('"$@" intent --json >&-', 0, []),
        ('"$@" intent after >&-', 0, []),
        ('"$@" intent - <&-', 2, ["error: the intent is empty"]),
        ('"$@" intent "" 2>&-', 2, []),
        ('"$@" history >/dev/full', 1, ["error: the answer cannot be written: No space left on device"]),
        (
            '"$@" history --json >/dev/full',
            1,
            ["error: the answer cannot be written: No space left on device"],
        ),
        ('"$@" intent "" --json >/dev/full', 2, ["error: the intent is empty"]),
        ('"$@" intent "" 2>/dev/full', 2, []),
    ],
)
def test_streams_that_are_closed_or_full_never_end_in_a_traceback(
    script: str, code: int, said: list[str], no_fork: str, home: Home, cli: Cli
) -> None:
    assert cli("intent", "before").returncode == 0
    done = subprocess.run(
        ["sh", "-c", script, "sh", *program()],
        env={**home.env, "ZDRIVER_NO_FORK": no_fork},
        cwd=home.path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (code, "")
    assert [line for line in done.stderr.splitlines() if not line.startswith("hint:")] == said
    assert cli("intent").stdout == ("after\n" if "after" in script else "before\n")


def test_a_question_is_interrupted_with_130(home: Home, cli: Cli) -> None:
    entry = cli.data("intent", "Stays")["id"]
    with in_terminal(home, "forget", entry) as terminal:
        terminal.wait_for("for good?")
        terminal.write("\x03")
        terminal.wait_for("code=130")
    assert cli("intent").stdout == "Stays\n"


def test_what_cannot_be_done_is_not_asked_about(home: Home) -> None:
    """Nor what does not exist."""
    for words, code, env in (
        (["restore", "--replace"], 2, {}),
        (["restore", "99", "--replace"], 3, {"ZELLIJ_SESSION_NAME": "some"}),
        (["forget", "0123456789"], 3, {}),
    ):
        with in_terminal(home, *words, **env) as terminal:
            terminal.wait_for(f"code={code}")
            assert "[y/N]" not in terminal.screen()


def test_no_changes_nothing_and_is_1(home: Home, cli: Cli) -> None:
    with in_terminal(home, "setup", "zellij") as terminal:
        terminal.wait_for("[Y/n]")
        terminal.write("n\r")
        terminal.wait_for("code=1")
        assert "nothing was changed" in terminal.screen()
    assert not home.config.exists()
