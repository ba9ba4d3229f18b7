"""A real repository in a test, and git run in it by hand."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class Tree:
    """A folder in which git is run: a worktree, or a bare repository."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def git_dir(self) -> str:
        """The common git folder."""
        return os.path.realpath(self.path / self.git("rev-parse", "--git-common-dir"))

    def git(self, *words: str, ok: bool = True, stdin: bytes = b"", env: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.path), *words],
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            input=stdin,
            capture_output=True,
            check=False,
        )
        assert not ok or done.returncode == 0, os.fsdecode(done.stderr)
        return os.fsdecode(done.stdout).removesuffix("\n")

    def write(self, name: str, text: str) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def commit(self, name: str, text: str, message: str = "") -> str:
        """Write the file, commit it, and say which commit it is."""
        self.write(name, text)
        self.git("add", "--", name)
        self.git("commit", "-q", "-m", message or f"change {name}")
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def worktree(self, name: str, branch: str, base: str = "main") -> Tree:
        """One made by git alone, beside this folder."""
        path = self.path.parent / name
        self.git("worktree", "add", "-q", "-b", branch, "--", str(path), base)
        return Tree(path)

    def snapshot(self) -> dict[str, bytes]:
        """Every file below, and every ref: what must not have changed."""
        files = {
            str(file.relative_to(self.path)): file.read_bytes()
            for file in sorted(self.path.rglob("*"))
            if file.is_file() and ".git" not in file.relative_to(self.path).parts
        }
        files[":refs"] = self.git("for-each-ref").encode()
        files[":status"] = self.git("status", "--porcelain=v2", "--branch").encode()
        return files
