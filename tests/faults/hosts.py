"""A host: a home of its own, a repository with worktrees in it, and a daemon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.faults.client import Client
from tests.integration.daemons import program
from zdriver.testing import Home, processes, until

#: Worktrees that its clients claim; each host has them, and on one store they are the same work.
WORKTREES = 4
#: Clones of one repository are told by it. Nobody asks it for anything.
REMOTE = "git@forge.example:team/shop.git"


class Failed(Exception):
    """A command of zdriver ended with an error."""


class Host:
    """Started by `prepare`; everything that runs in it ends with `remove`.

    settings  {"storage.url": …}
    env       for all its programs
    """

    def __init__(self, name: str, settings: Mapping[str, str | bool], env: Mapping[str, str]) -> None:
        self.name = name
        self.home = Home()
        self.home.env.update(env)
        self.repo = self.home.path / "shop" / "main"
        self._configure(settings)
        self._identify()
        self.socket = Path()
        self.worktrees: list[str] = []

    def _configure(self, settings: Mapping[str, str | bool]) -> None:
        lines = ["[daemon]", "idle_exit = 600"]
        for name, value in settings.items():
            section, key = name.split(".")
            lines += [f"[{section}]"] if f"[{section}]" not in lines else []
            lines.insert(lines.index(f"[{section}]") + 1, f"{key} = {json.dumps(value)}")
        file = self.home.path / ".config" / "zdriver" / "config.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines) + "\n")
        file.chmod(0o600)

    def _identify(self) -> None:
        """Another machine than this one, and than the other hosts."""
        file = self.home.path / ".local" / "state" / "zdriver" / "host"
        file.parent.mkdir(parents=True, mode=0o700)
        file.write_text(f"{uuid4()}\n")

    def prepare(self) -> None:
        """A repository, a daemon, and worktrees to claim."""
        self.repo.mkdir(parents=True)
        for words in (
            ("init", "-q", "-b", "main"),
            ("commit", "-q", "--allow-empty", "-m", "one"),
            ("remote", "add", "origin", REMOTE),
        ):
            subprocess.run(["git", *words], cwd=self.repo, env=self.home.env, check=True)
        self.start()
        client = self.client()
        for number in range(WORKTREES):
            made = client.call(
                "worktrees.add", type="exp", name=f"shared-{number}", cwd=str(self.repo), agent="ada"
            )
            self.worktrees.append(made["worktree"]["path"])
        client.close()

    def run(self, *words: str, check: bool = True) -> str:
        """`zdriver WORDS`; what it printed. Raises Failed."""
        ran = subprocess.run(
            [*program(), *words],
            env=self.home.env,
            cwd=self.home.path,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
        )
        if check and ran.returncode:
            raise Failed(f"zdriver {' '.join(words)} on {self.name}: {ran.stdout}{ran.stderr}")
        return ran.stdout + ran.stderr

    def start(self) -> None:
        """Its daemon; it is tried again where the engines are not there yet."""
        said: dict[str, Any] = {}

        def serves() -> bool:
            nonlocal said
            self.run("daemon", "start", check=False)
            said = json.loads(self.run("daemon", "status", "--json", check=False).splitlines()[0])
            return bool(said["ok"])

        until(serves, what=f"the daemon of {self.name}", deadline=90, shows=lambda: f"{said}\n{self.log()}")
        self.socket = Path(said["data"]["socket"])

    def client(self) -> Client:
        return Client(self.socket)

    def pids(self) -> list[int]:
        """Of all that runs in it: the daemon, its fork server, the audit."""
        return [pid for pid in self.home.running() if "zdriver" in " ".join(processes.argv(pid))]

    def kill(self) -> None:
        """SIGKILL for all of them."""
        family = self.pids()
        for pid in family:
            processes.kill(pid, signal.SIGKILL)
        until(lambda: not any(map(processes.alive, family)), what=f"the end of {self.name}", every=0.005)

    def follow(self, *words: str) -> subprocess.Popen[bytes]:
        """A command that goes on until it is ended; its output is in a file named after it."""
        with (self.home.path / f"{words[-1]}.log").open("ab") as log:
            return subprocess.Popen(
                [*program(), *words],
                env={**self.home.env, "ZDRIVER_NO_FORK": "1"},
                cwd=self.home.path,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def remove(self) -> None:
        self.home.remove()

    def log(self) -> str:
        """The end of the daemon's log."""
        file = self.home.daemon_log
        text = file.read_text(errors="replace") if file.exists() else ""
        return os.linesep.join(text.splitlines()[-30:])
