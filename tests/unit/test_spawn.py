"""Every spawn of Zellij: its environment, its breaker, its end."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from zdriver.core.errors import Unavailable
from zdriver.zellij.spawn import Breaker, Server, call, find_server, passed_environment


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_breaker_opens_after_two_failures_and_lets_one_try_at_a_time() -> None:
    clock = Clock()
    breaker = Breaker(limit=2, rest=10.0, clock=clock)
    breaker.failed()
    breaker.check("it")
    breaker.failed()
    with pytest.raises(Unavailable, match="does not answer"):
        breaker.check("it")
    clock.now += 10.0
    breaker.check("it")  # one may try
    with pytest.raises(Unavailable):
        breaker.check("it")  # and nobody else meanwhile
    breaker.worked()
    breaker.check("it")


def test_a_client_gets_where_things_lie_but_not_that_it_is_in_a_pane() -> None:
    environ = {
        "XDG_RUNTIME_DIR": "/r",
        "ZELLIJ": "0",
        "ZELLIJ_PANE_ID": "3",
        "SECRET_TOKEN": "x",
        "HOME": "/h",
    }
    assert passed_environment(environ) == {"XDG_RUNTIME_DIR": "/r", "HOME": "/h"}


def test_another_program_is_no_server() -> None:
    with pytest.raises(Unavailable, match="no Zellij server"):
        find_server("main", os.getpid())
    with pytest.raises(Unavailable):
        find_server("main", 0)


def server(program: Path) -> Server:
    return Server(session="main", pid=1, program=str(program), env={"PATH": os.defpath})


def script(folder: Path, body: str) -> Path:
    made = folder / "zellij"
    made.write_text(f"#!{sys.executable}\nimport sys, time\n{body}\n")
    made.chmod(0o700)
    return made


def test_a_call_that_does_not_end_is_given_up_and_then_not_tried(tmp_path: Path) -> None:
    stuck = server(script(tmp_path, "time.sleep(60)"))
    breaker = Breaker(limit=1, clock=Clock())
    with pytest.raises(Unavailable, match=r"did not answer in 0\.2 s"):
        call(stuck, "action", breaker=breaker, timeout=0.2)
    with pytest.raises(Unavailable, match="does not answer"):
        call(stuck, "action", breaker=breaker, timeout=0.2)


def test_a_call_says_what_zellij_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="zellij action failed: no such session"):
        call(server(script(tmp_path, "sys.exit('no such session')")), "action", breaker=Breaker(), timeout=60)
    works = server(script(tmp_path, "print(sys.argv[1:])"))
    assert call(works, "action", "x", breaker=Breaker(), timeout=60) == "['action', 'x']\n"


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"cannot run .*/nothing"):
        call(server(tmp_path / "nothing"), "action", breaker=Breaker())
