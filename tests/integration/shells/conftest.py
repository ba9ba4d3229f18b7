"""`shell`: each of the three in turn; `app`: a repository with the worktrees feat-user-auth and fix-crash."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.commands import Cli
from tests.integration.shells.speaking import SHELLS, Shell
from zdriver.testing import Home


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, home: Home) -> Shell:
    return Shell(home, request.param)


@pytest.fixture
def app(home: Home, cli: Cli) -> Path:
    made = home.path / "app"
    made.mkdir()
    for words in (("init", "-q", "-b", "main"), ("commit", "-q", "--allow-empty", "-m", "x")):
        subprocess.run(["git", *words], cwd=made, env=home.env, check=True)
    for type_, name in (("feat", "user-auth"), ("fix", "crash")):
        assert cli("worktree", "add", type_, name, cwd=made).returncode == 0
    return made


def beside(app: Path, name: str) -> Path:
    return app.parent / "app.worktrees" / name
