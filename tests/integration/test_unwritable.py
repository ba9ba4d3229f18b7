"""What cannot be written is named, and the hint is the one that helps."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import zdriver
from tests.integration.commands import Cli
from tests.integration.daemons import Daemons, program
from zdriver.core import paths
from zdriver.testing import Home

#: Root without the right to pass over the rights of files.
_BOUND = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=True)
    try:
        with (disk / "filler").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_for_the_state_is_said(cli: Cli, full_disk: Path) -> None:
    done = cli("intent", "x", XDG_STATE_HOME=str(full_disk))
    assert done.returncode == 5
    assert "No space left on device" in done.stderr
    assert f"make room on the disk of {full_disk}" in done.stderr
    assert "set XDG_STATE_HOME" in done.stderr
    assert not list(full_disk.rglob("host.*"))
    (full_disk / "filler").unlink()
    assert cli("intent", "x", XDG_STATE_HOME=str(full_disk)).returncode == 0


@pytest.mark.parametrize("ending", ["", "-wal", "-shm"])
@pytest.mark.parametrize("mode", [0o400, 0o000])
def test_a_file_of_the_store_that_may_not_be_written_is_named(
    home: Home, daemons: Daemons, ending: str, mode: int
) -> None:
    with zdriver.connect() as driver:
        kept = driver.context.set_intent("Kept", place=zdriver.here())
    pid = daemons.pid()
    daemons.kill(pid)
    daemons.wait_none()  # its fork server would run the next command with our rights
    file = Path(f"{paths.database()}{ending}")
    file.chmod(mode)
    done = subprocess.run(
        [*_BOUND, *program(), "intent"], env=home.env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 5
    error, hint = done.stderr.splitlines()
    assert error == f"error: cannot write {file}: {os.strerror(13)}"
    assert f"`chmod u+rw {file}`" in hint
    file.chmod(0o600)
    with zdriver.connect() as driver:
        assert driver.context.intent(place=zdriver.here()) == kept
