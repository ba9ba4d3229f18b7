"""A container with a repository, what a test does in it, and what must hold there afterwards."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

import zdriver
from tests.integration.git.tree import Tree
from tests.integration.worktrees.victim import Ended, Order, services
from zdriver.core import platform
from zdriver.testing import Home, until
from zdriver.worktrees.model import Worktree
from zdriver.worktrees.service import WorktreesService

TOML = 'copy = ["settings.ini"]\nports = ["WEB_PORT"]\n'
IGNORED = "*.local\nbuild/\nsettings.ini\n"


class Victims:
    """Processes that may be killed at what they are told to do."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.worktrees.victim"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def order(self, order: Order) -> Ended:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(msgspec.json.encode(order) + b"\n")
        stdin.flush()
        return msgspec.json.decode(stdout.readline(), type=Ended)

    def close(self) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


class World:
    """`project/trunk-main` with sync/ beside it; the trunk's commits are on `origin`, too."""

    def __init__(self, home: Home, victims: Victims) -> None:
        self.home = home
        self._victims = victims
        self.container = home.path / "pro ject"
        self.trunk = self._trunk()

    def _trunk(self) -> Tree:
        path = self.container / "trunk-main"
        path.mkdir(parents=True)
        tree = Tree(path)
        tree.git("init", "-q", "-b", "main")
        for name, text in (
            ("code.py", "one\n"),
            ("lib/deep.py", "one\n"),
            ("flagged.py", "one\n"),
            (".gitignore", IGNORED),
            (".zdriver.toml", TOML),
        ):
            tree.write(name, text)
        tree.git("add", ".")
        tree.git("commit", "-q", "-m", "first")
        origin = self.home.path / "origin.git"
        tree.git("init", "-q", "--bare", str(origin))
        tree.git("remote", "add", "origin", str(origin))
        tree.git("push", "-q", "-u", "origin", "main")
        shared = self.container / "sync" / "repo" / ".env"
        shared.parent.mkdir(parents=True)
        shared.write_text("KEY=1\n")
        tree.write("settings.ini", "own\n")
        return tree

    # ---- doing ----------------------------------------------------------------------------

    @contextmanager
    def service(self) -> Iterator[WorktreesService]:
        with services(self.home.database) as (worktrees, _):
            yield worktrees.service

    def run(self, method: str, *, kill: str = "", dies: bool = False, **given: Any) -> Ended:
        """In a process of its own. It must be killed where that is wanted, and only there.

        dies: something else kills it. To that, $STOP_AT is the process above it.
        """
        if method != "settle_all":
            given.setdefault("cwd", str(self.trunk))
        ended = self._victims.order(
            Order(
                database=str(self.home.database),
                env={**self.home.env, "ZDRIVER_AGENT": "ada", "STOP_AT": str(self._victims.pid)},
                method=method,
                given=given,
                kill=kill,
            )
        )
        assert (ended.signal == 9) == (bool(kill) or dies), (kill, ended)
        return ended

    def ok(self, method: str, **given: Any) -> Any:
        """It must have worked."""
        ended = self.run(method, **given)
        assert not ended.error, ended.error
        return ended.answer

    def end_daemon(self) -> None:
        """It has let go of the store when this is over."""
        with zdriver.connect() as driver:
            pid = driver.daemon.status().pid
            driver.daemon.stop()
        until(lambda: platform.process(pid) is None, what="the end of the daemon")

    def add(self, name: str) -> Tree:
        """`feat-NAME`."""
        return Tree(Path(self.ok("add", type="feat", name=name)["worktree"]["path"]))

    def fill(self, tree: Tree) -> None:
        """Work of every kind: committed, staged, changed, untracked, ignored; folders, links, modes."""
        tree.commit("code.py", "two\n", "only here")
        tree.write("lib/deep.py", "staged\n")
        tree.git("add", "lib/deep.py")
        tree.write("lib/deep.py", "staged, and then changed\n")
        tree.write("staged-new.txt", "new\n")
        tree.git("add", "staged-new.txt")
        tree.write("un tracked/note.md", "mine\n").chmod(0o640)
        tree.write("run.sh", "#!/bin/sh\n").chmod(0o755)
        (tree.path / "link").symlink_to("no where")
        (tree.path / "-x\n").write_text("a name\n")
        tree.git("update-index", "--assume-unchanged", "flagged.py")
        tree.write("flagged.py", "hidden from git\n")
        tree.write("secret.local", "ignored, and nowhere else\n")
        (tree.path / "empty" / "folder").mkdir(parents=True)

    # ---- looking --------------------------------------------------------------------------

    def known(self) -> tuple[Worktree, ...]:
        with self.service() as service:
            return tuple(line.worktree for line in service.list(cwd=str(self.trunk), conditions=False))

    def branches(self) -> dict[str, str]:
        """Commit by local branch."""
        lines = self.trunk.git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
        return dict(line.rsplit(" ", 1) for line in lines.splitlines())

    def listed(self) -> dict[str, str]:
        """What `git worktree list` says: branch by path. Nothing may be locked, prunable or detached."""
        found = {}
        for block in self.trunk.git("worktree", "list", "--porcelain").split("\n\n"):
            lines = dict(line.partition(" ")[::2] for line in block.strip().splitlines())
            assert not {"locked", "prunable", "detached"} & set(lines), block
            found[lines["worktree"]] = lines["branch"].removeprefix("refs/heads/")
        return found

    def agree(self) -> dict[str, str]:
        """git's objects, git's worktrees, the registry and the folders say the same: branch by path."""
        self.trunk.git("fsck", "--strict", "--no-dangling", "--no-progress")
        listed = self.listed()
        known = self.known()
        assert {each.path: each.branch for each in known} == listed
        assert {each.state for each in known} == {"ready"}
        folders = {str(path.parent) for path in self.container.glob("*/.git")}
        assert folders == set(listed)
        beside = {each.name for each in self.container.iterdir() if each.name not in ("sync", ".zdriver")}
        assert beside == {Path(each).name for each in listed}
        for zone in (Path(self.trunk.git_dir, "zdriver"), self.container / ".zdriver"):
            for kind in ("removing", "recovering"):
                assert not [*(zone / kind).glob("*")], kind
        assert not [*Path(self.trunk.git_dir).rglob("*.lock")]
        for each in set(listed) - {str(self.trunk)}:
            assert (Path(each) / ".env").readlink() == Path("../sync/repo/.env")
            assert (Path(each) / "settings.ini").read_text() == "own\n"
        return listed

    def kept(self) -> dict[str, bytes]:
        """Every commit's every file, of any ref, and every file of the trash: what can be found again.

        Content by where it is: `ref:path`, or a path in the trash.
        """
        found: dict[str, bytes] = {}
        refs = self.trunk.git("for-each-ref", "--format=%(refname)").splitlines()
        for commit in self.trunk.git("rev-list", *refs).splitlines():
            for line in filter(None, self.trunk.git("ls-tree", "-r", "-z", commit).split("\0")):
                blob, _, path = line.partition("\t")
                text = self.trunk.git("cat-file", "blob", blob.split()[2])
                found[f"{commit}:{path}"] = f"{text}\n".encode()
        for zone in (Path(self.trunk.git_dir, "zdriver"), self.container / ".zdriver"):
            for file in zone.rglob("*"):
                if file.is_file():
                    found[str(file)] = file.read_bytes()
        return found


def inventory(tree: Tree) -> dict[str, tuple[str, bytes]]:
    """All that lies in a worktree but `.git`: (kind and mode, content) by name; and git's view of it."""
    found: dict[str, tuple[str, bytes]] = {}
    for where, folders, files in os.walk(tree.path):
        folders[:] = [each for each in folders if each != ".git"]
        for name in (*folders, *files):
            path = Path(where, name)
            mode = path.lstat().st_mode
            text = b""
            if path.is_symlink():
                text = os.fsencode(path.readlink())
            elif path.is_file():
                text = path.read_bytes()
            if str(path) != f"{tree.path}/.git":
                found[str(path.relative_to(tree.path))] = (stat.filemode(mode), text)
    found[":index"] = ("", tree.git("ls-files", "-s").encode())
    found[":status"] = ("", tree.git("status", "--porcelain=v2", "--branch", "--ignored").encode())
    return found
