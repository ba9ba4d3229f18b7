"""`project`: a repository in the home, with the worktree `feat-a` beside it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from zdriver.testing import Home


@pytest.fixture
def project(home: Home) -> Path:
    made = home.path / "project"
    made.mkdir()
    for words in (
        ("init", "-q", "-b", "main"),
        ("commit", "-q", "--allow-empty", "-m", "x"),
        ("worktree", "add", "-q", "-b", "feat-a", "../feat-a"),
    ):
        subprocess.run(["git", *words], cwd=made, check=True)
    return made
