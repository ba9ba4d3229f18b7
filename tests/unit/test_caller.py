"""Who asks, and what of its environment goes along."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zdriver.core import caller
from zdriver.core.errors import Unavailable


def test_an_agent_is_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZDRIVER_AGENT", " claude-1 ")
    assert caller.agent() == "claude-1"


def test_else_it_is_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZDRIVER_AGENT", "")
    monkeypatch.setenv("USER", "ada")
    assert caller.agent() == "human:ada"


def test_a_user_is_found_without_an_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ZDRIVER_AGENT", "USER", "LOGNAME"):
        monkeypatch.delenv(name, raising=False)
    kind, _, name = caller.agent().partition(":")
    assert kind == "human"
    assert name


def test_git_is_not_told_of_another_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("GIT_SSH_COMMAND", "ssh -i key")
    monkeypatch.setenv("MY_SECRET", "s")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    found = caller.environment()
    assert "GIT_DIR" not in found
    assert "MY_SECRET" not in found
    assert found["GIT_SSH_COMMAND"] == "ssh -i key"
    assert found["LC_ALL"] == "C.UTF-8"


def test_what_is_not_text_stays_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ODD", os.fsdecode(b"\xff"))
    assert "LC_ODD" not in caller.environment()


def test_the_folder_is_the_one_the_shell_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path / "link")
    monkeypatch.setenv("PWD", str(tmp_path / "link"))
    assert caller.cwd() == str(tmp_path / "link")
    monkeypatch.setenv("PWD", str(tmp_path))
    assert caller.cwd() == str(tmp_path / "real")


def test_a_deleted_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(Unavailable, match="deleted"):
        caller.cwd()


def test_a_kill_point_kills_only_where_it_is_named() -> None:
    code = "from zdriver.core.killpoint import reached; reached('other'); reached('here'); print('alive')"
    run = [sys.executable, "-c", code]
    killed = subprocess.run(
        run, env={**os.environ, "ZDRIVER_TEST_KILL": "here"}, capture_output=True, check=False
    )
    assert killed.returncode == -9
    assert killed.stdout == b""
    alive = subprocess.run(
        run, env={**os.environ, "ZDRIVER_TEST_KILL": "no"}, capture_output=True, check=False
    )
    assert alive.stdout == b"alive\n"
