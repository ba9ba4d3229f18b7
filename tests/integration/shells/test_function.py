"""The function alone, with a program that says any path: to the byte, under any option of the shell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.integration.shells.speaking import WHERE, Shell
from zdriver.testing import Home

NAMES = (
    b"plain",
    b"with space",
    b" lead and trail ",
    b"-dash",
    b"two\nlines",
    b"ends in newlines\n\n",
    b"glob*[a]?",
    b"~tilde",
    b"$HOME`id`$(id)",
    b"quo'te\"s",
    b"back\\slash\\n",
    "umläut-☃".encode(),
    b"no text \xff\xfe",
    b"cut in a character \xe2\x82",
)
OPTIONS = {
    "bash": ("set -eu", "set -o posix; set -f", "shopt -s failglob expand_aliases; alias cd=false rm=false"),
    "zsh": (
        "set -eu; alias cd=false rm=false",
        "setopt ksharrays shwordsplit warncreateglobal errreturn nullglob posixbuiltins noclobber",
    ),
    "fish": ("alias cd=false; alias rm=false",),
}

#: Writes the bytes of the file $1 where it is asked to, and exits with $2.
PROGRAM = """#!/bin/sh
test "$1" = setup && exec "$REAL" "$@"
test -n "$ZDRIVER_CD_FILE" || exit 99
test -z "$1" || cat "$1" > "$ZDRIVER_CD_FILE"
test -z "$3" || echo "from=$ZDRIVER_PREVIOUS"
exit "${2:-0}"
"""


@pytest.fixture
def program(home: Home) -> dict[str, str]:
    """The environment in which it is `zdriver`."""
    folder = home.path / "bin"
    folder.mkdir()
    (folder / "zdriver").write_text(PROGRAM)
    (folder / "zdriver").chmod(0o755)
    real = Path(home.env["PATH"].split(":")[0], "zdriver")
    return {"PATH": f"{folder}:{home.env['PATH']}", "REAL": str(real)}


def said(home: Home, path: bytes) -> str:
    """The file with a path to go to; its own name is harmless."""
    file = home.path / f"said-{len(list(home.path.glob('said-*')))}"
    file.write_bytes(path)
    return str(file)


def folders(home: Home) -> list[bytes]:
    paths = [os.fsencode(home.path) + b"/" + name for name in NAMES]
    for path in paths:
        os.mkdir(path)  # noqa: PTH102 these are bytes
    return paths


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_any_name(shell: Shell, home: Home, program: dict[str, str], locale: str) -> None:
    paths = folders(home)
    visits = [line for path in paths for line in (f"zdriver {said(home, path)}", WHERE)]
    for options in ("", *OPTIONS[shell.name]):
        env = {**program, "LC_ALL": locale, "CDPATH": f"/tmp:{home.path}"}
        done = shell.run(options, *visits, cwd=home.path, env=env)
        assert done.stdout.split(b"\0")[:-1] == paths, (options, done)
        assert (done.returncode, done.stderr) == (0, b"")
    assert shell.left_behind() == []


def test_the_exit_code_is_the_program_s(shell: Shell, home: Home, program: dict[str, str]) -> None:
    there = said(home, os.fsencode(home.path))
    done = shell.run(
        f"zdriver {there} 7",
        f"echo {shell.code}",
        f"zdriver '' 3; echo {shell.code}",
        cwd=home.path,
        env=program,
    )
    assert done.stdout.split() == [b"7", b"3"]


def test_a_failing_program_ends_a_script_that_says_so(home: Home, program: dict[str, str]) -> None:
    for name in ("bash", "zsh"):
        done = Shell(home, name).run("set -e", "zdriver '' 7", "echo never", cwd=home.path, env=program)
        assert (done.returncode, done.stdout) == (7, b"")


def test_what_is_no_path_changes_nothing(shell: Shell, home: Home, program: dict[str, str]) -> None:
    for words in (b"", b"app", b"cd /", b"; echo run > ran", b"$(echo run > ran)", b"-"):
        done = shell.run(f"zdriver {said(home, words)}", WHERE, cwd=home.path, env=program)
        assert done.stdout == os.fsencode(home.path) + b"\0"
    assert not (home.path / "ran").exists()


def test_a_folder_that_is_gone(shell: Shell, home: Home, program: dict[str, str]) -> None:
    done = shell.run(
        f"zdriver {said(home, b'/nowhere')}", f"echo {shell.code}", "pwd", cwd=home.path, env=program
    )
    assert done.stdout.split() == [b"1", os.fsencode(home.path)]
    assert b"/nowhere" in done.stderr


def test_where_one_came_from(shell: Shell, home: Home, program: dict[str, str]) -> None:
    one, two = said(home, os.fsencode(home.path) + b"/one"), said(home, os.fsencode(home.path) + b"/t w o")
    (home.path / "one").mkdir()
    (home.path / "t w o").mkdir()
    calls = [f"zdriver {file} 0 tell" for file in (one, two, two, one)]
    done = shell.run(*calls, "env", cwd=home.path, env=program)
    at = str(home.path)
    came = [line for line in done.stdout.decode().splitlines() if line.startswith("from=")]
    assert came == ["from=", f"from={at}", f"from={at}/one", f"from={at}/one"]
    assert b"ZDRIVER_" not in done.stdout.split(b"from=")[-1]


def test_no_room_for_the_file(shell: Shell, home: Home, program: dict[str, str]) -> None:
    """Then the program is run all the same, and knows of no file."""
    done = shell.run(
        "zdriver '' 3", f"echo {shell.code}", cwd=home.path, env={**program, "TMPDIR": "/nowhere/at/all"}
    )
    assert (done.stdout, done.stderr) == (b"99\n", b"")


def test_a_pipe_and_a_subshell(shell: Shell, home: Home, program: dict[str, str]) -> None:
    there = said(home, b"/usr")
    lines = [f"zdriver {there} 0 tell | cat", "pwd"]
    if shell.name != "fish":  # which has no subshells
        lines += [f"(zdriver {there}; pwd)", "pwd"]
    done = shell.run(*lines, cwd=home.path, env=program)
    home_, usr = os.fsencode(home.path), b"/usr"
    # zsh runs the last part of a pipe itself, fish a function in any part: the first is of interest here.
    expected = [b"from=", usr if shell.name == "fish" else home_]
    assert done.stdout.split() == expected + ([usr, home_] if shell.name != "fish" else [])
    assert shell.left_behind() == []


def test_the_same_path_is_another_folder_by_now(shell: Shell, home: Home, program: dict[str, str]) -> None:
    """Removed and made again while one stood in it."""
    there = home.path / "there"
    there.mkdir()
    done = shell.run(
        f"rmdir {there}; mkdir {there}",
        f"zdriver {said(home, os.fsencode(there))}",
        WHERE,
        cwd=there,
        env=program,
    )
    assert done.stdout == os.fsencode(there) + b"\0"


def test_nothing_is_started_when_a_shell_begins(shell: Shell, home: Home) -> None:
    """The text is the same file for everybody, and printing it wakes no daemon."""
    import zdriver

    done = shell.run(
        "zdriver setup shell bash; zdriver setup shell zsh; zdriver setup shell fish", cwd=home.path
    )
    data = Path(zdriver.__file__).parent / "data" / "shell"
    assert done.stdout == b"".join(
        (data / f"zdriver.{name}").read_bytes() for name in ("bash", "zsh", "fish")
    )
    assert not any(Path(home.env["XDG_RUNTIME_DIR"]).iterdir())
