"""`zdriver demo`, and that it fails when it should."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.harness import Cli
from zdriver.testing import Home

PANES = ("work", "editor", "log", "nightly", "scratch")


@pytest.fixture
def home() -> Iterator[Home]:
    """Whose user has nothing at all: the demo brings a home of its own."""
    with Home() as made:
        yield made


def test_all_comes_back(home: Home, zdriver: Cli) -> None:
    done = zdriver("demo", deadline=400)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all 5 panes are back" in done.stdout
    before, after = done.stdout.split("the screen after")
    assert "the screen before" in before
    assert "Welcome back: Refactor database layer" in after
    assert not home.database.exists()
    assert home.running() == []


@pytest.mark.parametrize("control", ["--without-plugin", "--lose-database"])
def test_without_a_part_that_is_needed_every_pane_is_named(zdriver: Cli, control: str) -> None:
    done = zdriver("demo", control, deadline=400)
    assert done.returncode == 1, done.stdout + done.stderr
    for name in PANES:
        assert f"· {name}" in done.stderr


def test_as_json(zdriver: Cli) -> None:
    told = zdriver.data("demo", deadline=400)
    assert told["differences"] == []
    assert sorted(pair["before"]["name"] for pair in told["pairs"]) == sorted(PANES)
    assert told["server_before"] != told["server_after"]


def test_without_zellij_it_says_what_to_install(home: Home, zdriver: Cli) -> None:
    done = zdriver("demo", env={"PATH": "/nowhere"})
    assert (done.returncode, done.stdout) == (5, "")
    assert "zellij is not on PATH" in done.stderr
