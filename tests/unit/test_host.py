"""The machine's id: the rows of one machine are found again by it, whatever happened to its file."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from zdriver.core import paths
from zdriver.core.errors import Unavailable
from zdriver.core.ids import new_id
from zdriver.storage import host

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return paths.state_dir() / "host"


def test_it_stays_the_same(file: Path) -> None:
    made = host.host_id()
    assert re.fullmatch(UUID, made)
    assert host.host_id() == made == file.read_text().strip()
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("left", ["", "\n", "0" * 35, "\0" * 37, "somebody's\n"])
def test_a_file_without_an_id_is_written_anew(file: Path, left: str) -> None:
    """A power cut may leave it empty."""
    file.parent.mkdir(parents=True)
    file.write_text(left)
    made = host.host_id()
    assert re.fullmatch(UUID, made)
    assert file.read_text() == f"{made}\n"
    assert list(file.parent.iterdir()) == [file]


def test_many_at_once_have_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing says which machine it is, each would make another."""
    monkeypatch.setattr(host, "_make", new_id)
    together = Barrier(8)

    def ask(_: int) -> str:
        together.wait(20)
        return host.host_id()

    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(ask, range(8)))
    assert made == {file.read_text().strip()}
    assert list(file.parent.iterdir()) == [file]


def test_where_it_cannot_be_kept(file: Path) -> None:
    file.parent.parent.write_text("no folder")
    with pytest.raises(Unavailable, match="host"):
        host.host_id()
