"""Zellij's file of permissions is put back where it was left empty, and nowhere else."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zdriver.daemon import grants
from zdriver.daemon.grants import Grants

WHOLE = '"/zdriver.wasm" {\n    RunCommands\n}\n"/other.wasm" {\n    WebAccess\n}\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(grants, "WRITTEN", 0.02)
    file = tmp_path / "zellij" / "permissions.kdl"
    file.parent.mkdir()
    file.write_text(WHOLE)
    return file


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}


def ended(file: Path, env: dict[str, str], left: str, known: Grants | None = None) -> str:
    """What the file holds after a Zellij ended that had connected, and left it like this."""
    known = known or Grants()
    known.note(env)
    file.write_text(left)
    known.mend(env)
    return file.read_text()


@pytest.mark.parametrize("left", ["", "\n", '"/zdriver.wasm" {\n    RunCom', "\0\0\0\0"])
def test_what_a_killed_zellij_leaves_is_mended(file: Path, env: dict[str, str], left: str) -> None:
    assert ended(file, env, left) == WHOLE


@pytest.mark.parametrize("edited", ['"/other.wasm" {\n    WebAccess\n}\n', '"/zdriver.wasm" {\n}\n'])
def test_what_somebody_took_back_stays_so(file: Path, env: dict[str, str], edited: str) -> None:
    known = Grants()
    assert ended(file, env, edited, known) == edited
    assert ended(file, env, "", known) == edited


def test_two_that_end_at_once_mend_it_once(file: Path, env: dict[str, str]) -> None:
    known = Grants()
    known.note(env)
    for _ in range(20):
        file.write_text("")
        with ThreadPoolExecutor(4) as many:
            list(many.map(known.mend, [env] * 4))
        assert file.read_text() == WHOLE
        assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_a_link_to_a_file_elsewhere_stays_a_link(file: Path, env: dict[str, str], tmp_path: Path) -> None:
    """Some keep what Zellij writes among their dotfiles."""
    elsewhere = tmp_path / "dot files" / "-permissions"
    elsewhere.parent.mkdir()
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert ended(file, env, "") == WHOLE
    assert file.is_symlink()


def test_a_file_that_somebody_removed_is_not_made(file: Path, env: dict[str, str]) -> None:
    known = Grants()
    known.note(env)
    file.unlink()
    known.mend(env)
    assert not file.exists()


def test_nothing_is_put_where_nothing_was_seen(file: Path, env: dict[str, str]) -> None:
    file.write_text("")
    known = Grants()
    known.note(env)
    known.mend(env)
    assert file.read_text() == ""


def test_a_zellij_that_lives_finishes_its_writing(
    file: Path, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Grants()
    known.note(env)
    more = WHOLE + '"/new.wasm" {\n    WebAccess\n}\n'
    file.write_text("")
    written = threading.Event()

    def meanwhile(_seconds: float) -> None:
        file.write_text(more)
        written.set()

    monkeypatch.setattr(time, "sleep", meanwhile)
    known.mend(env)
    assert written.is_set()
    assert file.read_text() == more


def test_a_file_that_may_not_be_written_is_left_and_said(
    file: Path, env: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    known = Grants()
    known.note(env)
    file.write_text("")
    file.chmod(0o444)
    known.mend(env)
    assert "cannot be mended" in caplog.text
    assert file.read_text() == ""
