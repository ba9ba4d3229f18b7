"""The daemon's own files are its user's alone; what it makes in a repository has the caller's umask."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from tests.integration.commands import Cli
from tests.integration.daemons import Daemons
from tests.integration.shop import Shop
from zdriver.core import umask
from zdriver.testing import Home


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.mark.parametrize(("mask", "folder", "file"), [("022", 0o755, 0o644), ("027", 0o750, 0o640)])
def test_a_worktree_is_made_with_the_callers(
    home: Home, cli: Cli, daemons: Daemons, mask: str, folder: int, file: int
) -> None:
    shop = Shop(home, cli)
    shared = shop.home.path / "shop.worktrees" / "sync" / "repo" / "deep"

    def run(*words: str, cwd: Path) -> None:
        script = f'umask {mask}; exec "$@"'
        argv = ["sh", "-c", script, "sh", *daemons.program, *words]
        done = subprocess.run(argv, env=home.env, cwd=cwd, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    cli("worktree", "types", cwd=shop.trunk)  # the daemon is there, started with another umask
    run("feat", "a", cwd=shop.trunk)
    path = shop.container / "feat-a"
    assert (mode(shop.container), mode(path), mode(path / "models.py")) == (folder, folder, file)
    shared.mkdir(parents=True)
    (shared / "lint.toml").write_text("x\n")
    run("sync", "apply", cwd=path)
    assert mode(path / "deep") == folder
    shop.commit(path, "more.py")
    run("merge", "feat-a", cwd=shop.trunk)
    assert mode(shop.trunk / "more.py") == file


def test_it_is_told_without_being_changed() -> None:
    assert umask.of({umask.VARIABLE: "27"}) == 0o27
    for nonsense in ("", "9", "-1", "77777", "0o22"):
        assert umask.of({umask.VARIABLE: nonsense}) == umask.own()
