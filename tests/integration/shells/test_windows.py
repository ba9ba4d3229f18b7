"""With a person at the keyboard: the list, Ctrl-C, Tab."""

from __future__ import annotations

from pathlib import Path

from tests.integration.commands import Cli
from tests.integration.shells.conftest import beside
from tests.integration.shells.speaking import Shell
from zdriver.core import platform, tty
from zdriver.testing import Home, Terminal, until

UP, DOWN, CTRL_C, ESCAPE, TAB = "\x1b[A", "\x1b[B", "\x03", "\x1b", "\t"


def at_the_prompt(window: Terminal) -> None:
    """What is typed before that goes with the key: the terminal empties its queue."""

    def reads_keys() -> bool:
        return platform.foreground(window.pid) == window.pid and tty.is_raw(tty.path(window.pid))

    until(reads_keys, what="the shell to have its terminal, and to read single keys from it")


def test_choosing_from_the_list(shell: Shell, app: Path) -> None:
    with shell.window(app) as window:
        window.write("clear; zdriver go\r")
        window.wait_for("you are here")
        window.write("crsh")
        window.wait_for(lambda screen: "❯ fix-crash" in screen and "user-auth" not in screen)
        window.write("\x15")
        window.wait_for("❯ trunk")
        window.write(DOWN + DOWN + UP)
        window.wait_for(lambda screen: "❯ trunk" not in screen and "❯" in screen)
        window.write(DOWN + UP + "user\r")
        window.wait_for(lambda screen: "❯" not in screen)
        at_the_prompt(window)
        window.write("clear; pwd\r")
        window.wait_for(str(beside(app, "feat-user-auth")))


def test_what_is_typed_after_the_choice_is_the_shell_s(app: Path, home: Home) -> None:
    with Shell(home, "bash").window(app) as window:
        window.write("clear; zdriver go\r")
        window.wait_for("❯ trunk")
        window.write("user\rclear; pwd\r")
        window.wait_for(str(beside(app, "feat-user-auth")))


def test_a_terminal_that_cannot_move_its_cursor_gets_numbers(app: Path, home: Home) -> None:
    with Shell(home, "bash").window(app, TERM="dumb") as window:
        window.write("zdriver go\r")
        screen = window.wait_for("worktree:")
        (number,) = (line.split()[0] for line in screen.splitlines() if line.endswith("feat-user-auth"))
        window.write(f"9\r{number}\r")
        at_the_prompt(window)
        window.write("clear; pwd\r")
        window.wait_for(str(beside(app, "feat-user-auth")))


def test_a_narrow_window(app: Path, home: Home) -> None:
    """No line is longer than it: else each key would leave a line behind."""
    with Shell(home, "bash").window(app, rows=8, columns=24) as window:
        window.write("clear; zdriver go\r")
        window.wait_for("❯ trunk")
        window.write("a query of many words")
        window.wait_for("none fits")
        assert window.screen().count("worktree:") == 1
        window.write("\x15")
        window.wait_for("❯ trunk")
        assert window.screen().count("worktree:") == 1


def test_leaving_the_list(shell: Shell, app: Path) -> None:
    with shell.window(app) as window:
        for key in (CTRL_C, ESCAPE):
            window.write("clear; zdriver go\r")
            window.wait_for("❯ trunk")
            window.write(key)
            window.wait_for(lambda screen: "❯" not in screen)
            at_the_prompt(window)
            window.write(f"echo code={shell.code}; pwd; echo en''d\r")
            screen = window.wait_for(lambda screen: "end" in screen.split())
            assert "code=130" in screen
            assert str(app) in screen.split()
        until(lambda: not shell.left_behind(), what="the function's file to be gone")


def test_ctrl_c_ends_what_exec_runs_and_the_shell_is_there(shell: Shell, app: Path) -> None:
    with shell.window(app) as window:
        window.write("clear; zdriver go crash --exec 'echo beg''un; sleep 100; echo nev''er'\r")
        window.wait_for(lambda screen: "begun" in screen.split())
        window.write(CTRL_C)
        at_the_prompt(window)
        window.write(f"\recho code={shell.code}\r")
        window.wait_for("code=")
        window.write("clear; pwd; echo en''d\r")
        screen = window.wait_for(lambda screen: "end" in screen.split())
        assert str(beside(app, "fix-crash")) in screen.split()
        assert "never" not in screen
        until(lambda: not shell.left_behind(), what="the function's file to be gone")


def test_ctrl_z_and_fg(shell: Shell, app: Path) -> None:
    """The shell is where it was to go at once, and what was stopped goes on."""
    with shell.window(app) as window:
        window.write("clear; zdriver go crash --exec 'echo beg''un; sed -u s/in/IN/'\r")
        window.wait_for(lambda screen: "begun" in screen.split())
        window.write("\x1a")
        at_the_prompt(window)
        window.write("echo sto''pped; pwd\r")
        screen = window.wait_for(lambda screen: "stopped" in screen.split())
        window.wait_for(str(beside(app, "fix-crash")))
        window.write("fg\r")
        until(lambda: platform.foreground(window.pid) != window.pid, what="what was stopped to go on")
        window.write("again\n")
        window.wait_for("agaIN")
        window.write("\x04")
        at_the_prompt(window)
        window.write("echo en''d; pwd\r")
        screen = window.wait_for(lambda screen: "end" in screen.split())
        assert "no such file" not in screen.lower()
        until(lambda: not shell.left_behind(), what="the function's file to be gone")


def test_tab_completes_names(shell: Shell, app: Path) -> None:
    """The first Tab fetches the completions, and completes already."""
    with shell.window(app) as window:
        if shell.name == "zsh":
            window.write("autoload -Uz compinit; compinit -D\r" + shell.begin + "\r")
        for words in ("go fix-", "remove --force fix-", "claim fix-"):
            window.write(f"clear; zdriver {words}{TAB}")
            window.wait_for(f"{words}crash")
            window.write("\x15")
        window.write("exit\r")  # bash, hung up amid a completion, waits for one more key
        window.wait_ended()


def test_the_hint_is_for_a_person(app: Path, cli: Cli, shell: Shell) -> None:
    with shell.window(app) as window:
        window.write("clear; command zdriver go crash; echo en''d\r")
        screen = window.wait_for(lambda screen: "end" in screen.split())
        assert "to change into it" in screen
        assert str(beside(app, "fix-crash")) in screen
        assert ("| source" in screen) == (shell.name == "fish")
