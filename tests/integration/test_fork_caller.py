"""A command that the fork server runs sees what its caller has: arguments, folder, streams, terminal."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.integration.forkcopy import IN_PLACE, Copy


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


@pytest.mark.parametrize(
    "before",
    [
        "trap '' HUP INT QUIT TSTP",
        "ulimit -f 7; ulimit -n 99; ulimit -Ss 4096; ulimit -c 0",
        # a shell cannot block a signal
        "exec python3 -c 'import os, signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGHUP])\n"
        'os.execv(sys.argv[1], sys.argv[1:])\' "$@"',
    ],
)
def test_signals_and_limits_are_the_callers(copy: Copy, before: str) -> None:
    def facts(**more: str) -> Any:
        argv = ["sh", "-c", f'{before}\nexec "$@"', "sh", *copy.argv, "facts"]
        return json.loads(subprocess.check_output(argv, env={**copy.env, **more}, timeout=30))

    usual, forked, placed = copy.facts(), facts(), facts(**IN_PLACE)
    for name in ("signals", "blocked", "limits"):
        assert forked[name] == placed[name]
    assert any(forked[name] != usual[name] for name in ("signals", "blocked", "limits"))


def test_a_limit_on_files_holds_for_the_command(copy: Copy, tmp_path: Path) -> None:
    argv = ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh", *copy.argv, "fill", str(tmp_path / "big")]
    assert subprocess.check_output(argv, env=copy.env, text=True, timeout=30) == "File too large\n"
    assert (tmp_path / "big").stat().st_size <= 8 * 1024


def test_who_has_another_group_runs_in_place(copy: Copy) -> None:
    """As after `newgrp`: what the command makes must belong to that group."""
    caller = copy.popen("where", group=os.getgid() + 1)
    out, err = caller.communicate(timeout=30)
    assert out.split()[1] == str(caller.pid), err
