"""A repository for the tests of worktrees on the command line: `~/shop`, beside its remote."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.commands import Cli
from zdriver.testing import Home


class Shop:
    def __init__(self, home: Home, cli: Cli) -> None:
        self.home, self.cli = home, cli
        self.trunk = home.path / "shop"
        self.container = home.path / "shop.worktrees"
        (home.path / ".gitconfig").write_text(
            "[user]\nname = Ada\nemail = ada@example.org\n[init]\ndefaultBranch = main\n"
        )
        self.trunk.mkdir()
        self.git("init", "-q")
        (self.trunk / "models.py").write_text("class Order: ...\n")
        self.git("add", ".")
        self.git("commit", "-q", "-m", "first")

    def git(self, *words: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=cwd or self.trunk,
            env=self.home.env,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def made(self, name: str, type_: str = "feat", *more: str, cwd: Path | None = None) -> Path:
        """The folder of the worktree that `zdriver TYPE NAME` makes."""
        added = self.cli.data(type_, name, *more, cwd=cwd or self.trunk)
        assert added["created"]
        return Path(added["worktree"]["path"])

    def commit(self, folder: Path, file: str = "more.py") -> str:
        (folder / file).write_text(f"{file}\n")
        self.git("add", ".", cwd=folder)
        self.git("commit", "-q", "-m", f"add {file}", cwd=folder)
        return self.git("rev-parse", "HEAD", cwd=folder)

    def names(self) -> list[str]:
        return [line["worktree"]["name"] for line in self.cli.data("worktree", "list", cwd=self.trunk)]

    def agree(self) -> None:
        """git's list of worktrees, the registry's and the folders are the same, and git finds no fault."""
        listed = self.git("worktree", "list", "--porcelain").split("\n")
        paths = {line.removeprefix("worktree ") for line in listed if line.startswith("worktree ")}
        lines = self.cli.data("worktree", "list", cwd=self.trunk)
        assert {line["worktree"]["path"] for line in lines} == paths
        assert all(Path(path).is_dir() for path in paths)
        assert not [line["trouble"] for line in lines if line["trouble"]]
        self.git("fsck", "--connectivity-only")


@contextmanager
def working_in(folder: Path, home: Home) -> Iterator[int]:
    """A process whose folder is `folder`: somebody else's work, not in our group. Its pid."""
    process = subprocess.Popen(["sleep", "600"], cwd=folder, env=home.env, start_new_session=True)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()
