"""`setup shell --install`: one line in the shell's own file, and out again."""

from __future__ import annotations

from pathlib import Path

from tests.integration.commands import Cli, in_terminal
from tests.integration.shells.speaking import SHELLS, Shell
from zdriver.testing import Home, Terminal

FILES = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/conf.d/zdriver.fish"}


def startup(shell: Shell) -> Path:
    return shell.home.path / FILES[shell.name]


def everything(home: Home) -> dict[Path, bytes]:
    """The startup files there are."""
    return {path: path.read_bytes() for name in FILES.values() if (path := home.path / name).exists()}


def test_in_and_out_again(shell: Shell, cli: Cli) -> None:
    file = startup(shell)
    if shell.name != "fish":
        file.write_bytes(b"# mine \xff\nexport A=1")  # no text, and no line's end
    before = file.read_bytes() if file.exists() else b""
    shown = cli("setup", "shell", shell.name, "--install", "--dry-run")
    assert "+if " in shown.stdout
    assert everything(shell.home).get(file, b"") == before

    assert cli("setup", "shell", shell.name, "--install", "--yes").returncode == 0
    once = file.read_bytes()
    assert once.startswith(before)
    assert once.count(b"\n") == before.count(b"\n") + (2 if before else 1)
    again = cli("setup", "shell", shell.name, "--install")  # without asking: there is nothing to do
    assert "nothing to do" in again.stdout
    assert file.read_bytes() == once

    assert cli("setup", "shell", shell.name, "--undo", "--yes").returncode == 0
    if before:
        assert file.read_bytes() == before + b"\n"
    else:
        assert not file.exists()
    assert "nothing to do" in cli("setup", "shell", shell.name, "--undo").stdout


def test_a_new_shell_has_it(shell: Shell, cli: Cli) -> None:
    cli("setup", "shell", shell.name, "--install", "--yes")
    with Terminal([shell.name, "-i"], env=shell.env, cwd=shell.home.path) as opened:
        opened.write("type zdriver; echo en''d\r")
        screen = opened.wait_for(lambda screen: "end" in screen.split())
        assert "zdriver is a" in screen
        assert "function" in screen


def test_a_line_put_in_by_hand_is_enough(shell: Shell, cli: Cli) -> None:
    file = startup(shell)
    file.parent.mkdir(parents=True, exist_ok=True)
    own = f"# zdriver setup shell is below\n{shell.begin}\n"
    file.write_text(own)
    assert "nothing to do" in cli("setup", "shell", shell.name, "--install").stdout
    done = cli("setup", "shell", shell.name, "--undo")
    assert "by hand" in done.stderr
    assert file.read_text() == own
    file.write_text(f"# {shell.begin}\n")  # a comment is none
    assert cli("setup", "shell", shell.name, "--install", "--yes").returncode == 0
    assert len(file.read_text().splitlines()) == 2


def test_a_linked_file_is_written_through(shell: Shell, cli: Cli) -> None:
    file, dotfiles = startup(shell), shell.home.path / "dotfiles"
    file.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    dotfiles.write_text("# mine\n")
    file.symlink_to(dotfiles)
    assert cli("setup", "shell", shell.name, "--install", "--yes").returncode == 0
    assert file.is_symlink()
    assert "zdriver setup shell" in dotfiles.read_text()
    cli("setup", "shell", shell.name, "--undo", "--yes")
    assert file.is_symlink()
    assert dotfiles.read_text() == "# mine\n"


def test_a_read_only_file_gets_its_line_printed(shell: Shell, cli: Cli) -> None:
    file = startup(shell)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("# mine\n")
    file.chmod(0o444)
    done = cli("setup", "shell", shell.name, "--install")
    assert done.returncode == 5
    assert "zdriver setup shell" in done.stderr
    assert "read-only" in done.stderr
    assert file.read_text() == "# mine\n"


def test_undo_takes_it_out_of_all_shells(home: Home, cli: Cli) -> None:
    before = everything(home)
    for name in SHELLS:
        cli("setup", "shell", name, "--install", "--yes")
    assert len(everything(home)) == 3
    shown = cli("setup", "undo", "--dry-run").stdout
    assert all(Path(name).name in shown for name in FILES.values())
    assert cli("setup", "undo", "--yes").returncode == 0
    assert everything(home) == before


def test_asking(home: Home, cli: Cli) -> None:
    before = everything(home)
    assert cli.refused("setup", "shell", "bash", "--install") == (2, "invalid_input")
    assert cli.refused("setup", "shell", "bash", "--yes") == (2, "invalid_input")
    assert cli.refused("setup", "shell", "bash", "--install", "--undo") == (2, "invalid_input")
    assert cli.refused("setup", "shell", "ksh") == (2, "invalid_input")
    for answer, code in (("n", 1), ("y", 0)):
        with in_terminal(home, "setup", "shell", "bash", "--install") as window:
            window.wait_for("[Y/n]")
            window.write(f"{answer}\r")
            window.wait_for(f"code={code}")
        assert (everything(home) == before) == (answer == "n")


def test_which_shell_this_is(shell: Shell, home: Home, cli: Cli) -> None:
    """The one that the command was given in, whatever $SHELL says, also by way of the daemon."""
    cli("intent")  # with its daemon
    login = "zsh" if shell.name == "bash" else "/bin/bash"
    for env in ({}, {"ZDRIVER_NO_FORK": "1"}):
        done = shell.run("zdriver setup shell; true", cwd=home.path, env={"SHELL": login, **env}, bare=True)
        assert done.stdout.startswith(f"# zdriver in {shell.name}:".encode())
