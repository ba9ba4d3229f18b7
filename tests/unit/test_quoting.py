"""An argv typed into a real shell is that argv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.layout_strategies import NASTY
from zdriver.context.quoting import LINE_MAX, fits, is_shell, quote, shell_name

SHELLS = ("bash", "zsh", "fish", "dash")

#: Writes its arguments, each ended by a NUL, to the file that $OUT names; all at once.
PRINTER = """#!{python} -S
import os, sys
out = os.environ["OUT"]
with open(out + ".part", "wb") as file:
    file.write(b"".join(os.fsencode(arg) + b"\\0" for arg in sys.argv[1:]) + b"END")
os.rename(out + ".part", out)
"""

# Bytes that are no UTF-8 are lone surrogates in Python; an argv cannot hold NUL
chars = st.one_of(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    st.integers(0x80, 0xFF).map(lambda byte: chr(0xDC00 + byte)),
)
words = st.lists(st.one_of(st.sampled_from(NASTY), st.text(chars, max_size=5)), max_size=5).map("".join)


@pytest.fixture(scope="module")
def printer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("a printer's $HOME") / "print 'it'"
    path.write_text(PRINTER.format(python=sys.executable))
    path.chmod(0o755)
    return path


def environment(folder: Path) -> dict[str, str]:
    home = {name: str(folder) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "ZDOTDIR")}
    return {
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "OUT": str(folder / "out"),
        **home,
    }


def run(shell: str, line: str, folder: Path) -> list[bytes]:
    out = folder / "out"
    out.unlink(missing_ok=True)
    program = shutil.which(shell)
    assert program, f"{shell} is needed for this test"
    quiet = ["--no-config"] if shell == "fish" else ["-f"] if shell == "zsh" else []
    done = subprocess.run(
        [program, *quiet, "-c", line], env=environment(folder), capture_output=True, timeout=60, check=False
    )
    assert out.exists(), (shell, line, done.stderr)
    return _arguments(out)


def _arguments(out: Path) -> list[bytes]:
    content = out.read_bytes()
    assert content.endswith(b"END")
    return content[:-3].split(b"\0")[:-1]


@pytest.mark.parametrize("shell", SHELLS)
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(argv=st.lists(words, max_size=8))
def test_any_argv_arrives_unchanged(shell: str, printer: Path, argv: list[str]) -> None:
    line = quote([str(printer), *argv], shell)
    encoded = line.encode("utf-8", "surrogateescape")
    assert run(shell, os.fsdecode(encoded), printer.parent) == [os.fsencode(arg) for arg in argv]


@given(
    st.sampled_from(("", "/bin/bash", "-zsh", "fish", "sh", "nu")), st.lists(words, min_size=1, max_size=5)
)
def test_a_line_can_be_typed(shell: str, argv: list[str]) -> None:
    """No key that a line editor would take for a command, nothing that hides it from the history."""
    line = quote(argv, shell)
    assert line.isprintable()
    assert not line.startswith(" ")


@pytest.mark.parametrize(
    ("shell", "argv", "line"),
    [
        ("/bin/bash", ("vim", "a file"), "command vim 'a file'"),
        ("-zsh", ("/usr/bin/vim", "it's"), "/usr/bin/vim 'it'\\''s'"),
        ("bash", ("make", "a\tb!"), "command make $'a\\011b\\041'"),
        ("fish", ("make", "it's\n", ""), "command make 'it\\'s'\\X0a ''"),
        ("sh", ("make", "50%\n"), """eval "$(printf 'command \\047make\\047 \\04750%%\\012\\047')\""""),
        ("", ("sleep", "10"), "sleep 10"),
        ("nu", ("sleep", "10"), "sleep 10"),
        ("bash", ("A=b", "c=d"), "command 'A=b' c=d"),
        ("zsh", ("x", "=ls", "~", "*"), "command x '=ls' '~' '*'"),
        ("bash", ("vim", "über 🦀"), "command vim 'über 🦀'"),
        ("bash", (), ""),
    ],
)
def test_lines(shell: str, argv: tuple[str, ...], line: str) -> None:
    assert quote(argv, shell) == line


def test_how_long_a_line_may_be() -> None:
    assert fits("x" * LINE_MAX)
    assert not fits("é" * LINE_MAX)


def test_names_of_shells() -> None:
    assert [shell_name(argv0) for argv0 in ("-bash", "/usr/bin/fish", "zsh")] == ["bash", "fish", "zsh"]
    assert is_shell("-bash")
    assert not is_shell("vim")


# ------------------------------------------------------------- typed at a prompt


@pytest.fixture
def typing(printer: Path) -> Iterator[list[pexpect.spawn[str]]]:
    """Shells that were started, to be ended."""
    started: list[pexpect.spawn[str]] = []
    yield started
    for shell in started:
        shell.close(force=True)


@pytest.mark.parametrize("shell", SHELLS)
def test_typed_into_a_shell_that_has_an_alias(
    shell: str, printer: Path, typing: list[pexpect.spawn[str]]
) -> None:
    """At a prompt, where tab completes and ! calls the history; `tool` is an alias that adds an argument."""
    folder = printer.parent
    tool = folder / "tool"
    if not tool.exists():
        tool.symlink_to(printer)
    argv = ["a\tb", "!!", "!x'", "new\nline", "it's", "\x03\x1b", "$HOME", "é 🦀", "", "--", "\\"]
    alias = "alias tool 'tool extra'" if shell == "fish" else "alias tool='tool extra'"
    out = folder / "out"
    out.unlink(missing_ok=True)
    env = {**environment(folder), "TERM": "xterm", "PATH": f"{folder}:{os.environ['PATH']}"}
    quiet = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"], "dash": ["-i"]}[shell]
    child = pexpect.spawn(shell, quiet, env=env, dimensions=(40, 200), timeout=30)
    typing.append(child)
    for line in (alias, quote(["tool", *argv], shell)):
        child.send(line.encode() + b"\n")
    deadline = time.monotonic() + 60
    while not out.exists() and time.monotonic() < deadline:
        try:
            child.read_nonblocking(65536, timeout=0.1)
        except pexpect.TIMEOUT:
            continue
    assert out.exists(), f"{shell} ran nothing"
    assert _arguments(out) == [os.fsencode(arg) for arg in argv]
