"""The real commands: where they lead to, in each shell, and what happens without the function."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.integration.commands import Cli
from tests.integration.daemons import Daemons
from tests.integration.shells.conftest import beside
from tests.integration.shells.speaking import WHERE, Shell
from zdriver.core import platform
from zdriver.testing import Home


def lines(of: bytes) -> list[str]:
    return of.decode().splitlines()


def test_make_go_and_back(shell: Shell, app: Path) -> None:
    done = shell.run(
        "zdriver feat 'two words'",
        "pwd",
        "mkdir deep; cd deep",
        "zdriver go crash",
        "pwd",
        "zdriver go -",
        "pwd",
        "zdriver go trunk",
        "pwd",
        "zdriver go -",
        "pwd",
        cwd=app,
    )
    made = str(beside(app, "feat-two-words"))
    visited = [line for line in lines(done.stdout) if line.startswith(str(app))]
    there = [str(app) if each == "trunk" else each for each in (made, str(beside(app, "fix-crash")), made)]
    # Without a terminal the path is printed as well: `$(zdriver go x)` is to work in either case.
    assert visited == [path for each in (*there, str(app), made) for path in (each, each)]
    assert done.returncode == 0


@pytest.mark.parametrize("alone", [{}, {"ZDRIVER_NO_FORK": "1"}], ids=["fork server", "in place"])
def test_folders_and_names_that_are_hard(shell: Shell, home: Home, alone: dict[str, str]) -> None:
    project = home.path / "-we ird\n*[x]" / "app"
    project.mkdir(parents=True)
    for words in (("init", "-q", "-b", "main"), ("commit", "-q", "--allow-empty", "-m", "x")):
        subprocess.run(["git", *words], cwd=project, env=home.env, check=True)
    visits = ("feat 'ümläut ☃ -x'", "go trunk", "go ☃", "go -")
    calls = [line for words in visits for line in (f"zdriver {words} >/dev/null", WHERE)]
    done = shell.run(*calls, cwd=project, env=alone)
    made = f"{project}.worktrees/feat-ümläut-☃-x"
    assert done.stdout.decode().split("\0")[:-1] == [made, str(project)] * 2, done


def test_without_the_function_the_path_is_printed_and_the_shell_stays(shell: Shell, app: Path) -> None:
    for words in ("go crash", "fix crash", "go fix-crash"):
        done = shell.run(f"zdriver {words}", "pwd", cwd=app, bare=True)
        assert lines(done.stdout) == [str(beside(app, "fix-crash")), str(app)]
        assert b"to change into it" not in done.stderr  # nobody is there to read it


def test_a_path_to_use_with_and_without_the_function(shell: Shell, app: Path) -> None:
    # fish runs its function within $(…) in the very shell: there it is `--print`
    words = "--print crash" if shell.name == "fish" else "crash"
    for bare in (True, False):
        done = shell.run(
            f"cd (zdriver go {words})" if shell.name == "fish" else f'cd "$(zdriver go {words})"',
            "pwd",
            cwd=app,
            bare=bare,
        )
        assert lines(done.stdout) == [str(beside(app, "fix-crash"))]


def test_print_and_json_say_where(shell: Shell, app: Path) -> None:
    done = shell.run("zdriver go --print crash", "pwd", "zdriver go --json user", "pwd", cwd=app)
    path, here, answer, there = lines(done.stdout)
    assert (path, here) == (str(beside(app, "fix-crash")), str(app))
    assert json.loads(answer)["data"]["path"] == there == str(beside(app, "feat-user-auth"))


def test_a_refusal_changes_nothing(shell: Shell, app: Path) -> None:
    done = shell.run(
        "zdriver go nowhere", f"echo {shell.code}", "zdriver go -", f"echo {shell.code}", "pwd", cwd=app
    )
    assert lines(done.stdout) == ["3", "3", str(app)]


def test_removing_the_folder_one_stands_in_lands_in_the_trunk(shell: Shell, app: Path) -> None:
    done = shell.run("zdriver remove fix-crash", WHERE, cwd=beside(app, "fix-crash"))
    assert done.stdout.endswith(str(app).encode() + b"\0"), done
    assert not beside(app, "fix-crash").exists()


def test_out_of_a_folder_that_somebody_else_removed(shell: Shell, app: Path) -> None:
    gone = beside(app, "fix-crash") / "deep"
    gone.mkdir()
    done = shell.run(f"rm -r {gone}", "zdriver go trunk", WHERE, cwd=gone)
    assert done.stdout.endswith(str(app).encode() + b"\0"), done


def test_exec_runs_there_and_the_shell_follows(shell: Shell, app: Path) -> None:
    done = shell.run(
        f"zdriver go crash --exec 'pwd; echo ran by {shell.name}; exit 7'", f"echo {shell.code}; pwd", cwd=app
    )
    there = str(beside(app, "fix-crash"))
    assert lines(done.stdout) == [there, f"ran by {shell.name}", "7", there]


def test_what_a_command_starts_knows_nothing_of_the_function(
    shell: Shell, app: Path, daemons: Daemons
) -> None:
    """Not `--exec`, not a shell within it, not the daemon: else each could send this shell somewhere."""
    daemons.kill(pid := daemons.pid())
    daemons.gone(pid)
    done = shell.run("zdriver go crash --exec env", cwd=app)
    environ = dict(line.split("=", 1) for line in lines(done.stdout) if "=" in line)
    assert environ["ZDRIVER_WORKTREE"] == "fix-crash"
    assert environ["PWD"] == environ["ZDRIVER_WORKTREE_PATH"] == str(beside(app, "fix-crash"))
    assert environ.keys().isdisjoint({"ZDRIVER_CD_FILE", "ZDRIVER_PREVIOUS"})
    for pid in (*daemons.pids(), *daemons.fork_servers()):
        assert not [name for name in platform.environ(pid) if name.startswith("ZDRIVER_")]


def test_the_last_used_comes_first(app: Path, cli: Cli) -> None:
    for name in ("fix-crash", "feat-user-auth", "fix-crash"):
        cli("go", name, cwd=app)
        listed = cli("go", cwd=app).stderr
        assert f"there are trunk, {name}," in listed


def test_several_as_good(app: Path, cli: Cli) -> None:
    cli("worktree", "add", "exp", "user-auth", cwd=app)
    done = cli("go", "user-auth", cwd=app)
    assert (done.returncode, done.stdout) == (2, "")
    assert "exp-user-auth, feat-user-auth" in done.stderr
    assert cli.refused("go", "user-auth", cwd=app) == (2, "ambiguous")
    assert cli.refused("go", cwd=app) == (2, "invalid_input")
    assert cli.refused("go", "", cwd=app) == (2, "invalid_input")
    assert cli.refused("go", "x", cwd=app.parent) == (3, "not_found")


@pytest.mark.parametrize("stale", ["/nowhere/file", "relative", "/dev/null", "/tmp"])
def test_a_file_that_cannot_be_meant(app: Path, cli: Cli, home: Home, stale: str) -> None:
    """A variable that outlived its shell: nothing is made, and the path is printed."""
    done = cli("go", "crash", cwd=app, ZDRIVER_CD_FILE=stale)
    assert done.stdout == f"{beside(app, 'fix-crash')}\n"
    assert not (app / "relative").exists()


def test_a_link_in_the_file_s_place_is_not_followed(app: Path, cli: Cli, home: Home) -> None:
    precious = home.path / "precious"
    precious.write_text("mine")
    (home.path / "link").symlink_to(precious)
    cli("go", "crash", cwd=app, ZDRIVER_CD_FILE=str(home.path / "link"))
    assert precious.read_text() == "mine"
