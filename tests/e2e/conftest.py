"""Fixtures: `home`, `tmux`, `zellij`, `zdriver`. Each test has its own home; all ends with it, by pid."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.e2e.harness import Cli, Zellij, evidence
from tests.e2e.terminal import Tmux
from zdriver.testing import Home


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """On a failure, show the screens and the logs while they are still there."""
    report = yield
    fixtures = getattr(item, "funcargs", {})
    if report.when == "call" and report.failed and "tmux" in fixtures:
        for title, text in evidence(fixtures["home"], fixtures["tmux"]):
            report.sections.append((title, text))
    return report


@pytest.fixture
def home() -> Iterator[Home]:
    """A throw-away home with zdriver's plugin in Zellij's configuration, and its permissions."""
    with Home() as made:
        made.write_config()
        yield made


@pytest.fixture
def tmux(home: Home) -> Iterator[Tmux]:
    made = Tmux(home)
    yield made
    made.stop()


@pytest.fixture
def zellij(home: Home, tmux: Tmux) -> Zellij:
    return Zellij(home, tmux)


@pytest.fixture
def zdriver(home: Home) -> Cli:
    return Cli(home)
