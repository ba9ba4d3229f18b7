"""Fixtures: `home`, a throw-away home that this process lives in, too; `daemons`, what runs there;
`cli`, the program there; `copy`, a copy of the package there whose commands say what they see.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.commands import Cli
from tests.integration.daemons import Daemons
from tests.integration.forkcopy import Copy
from zdriver.testing import Home


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """All that is started in it ends with it. `zdriver.connect()` in the test means its daemon."""
    with Home() as made:
        for name in os.environ:
            if name.startswith(("XDG_", "ZDRIVER_", "ZELLIJ")):
                monkeypatch.delenv(name)
        for name, value in made.env.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def daemons(home: Home) -> Daemons:
    return Daemons(home)


@pytest.fixture
def cli(home: Home) -> Cli:
    return Cli(home)


@pytest.fixture
def copy(home: Home, tmp_path: Path) -> Iterator[Copy]:
    made = Copy(home, tmp_path / "copy")
    yield made
    made.end()
