"""A machine: a home, an id and a network of its own, a clone of the one repository, and a daemon."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import zdriver
from tests.integration.daemons import program
from tests.integration.hosts.network import Network
from zdriver.library import Driver
from zdriver.testing import Home, processes, until
from zdriver.testing.servers import PostgreSql, scratch


class Machine:
    """Everything that runs on it ends with `remove`."""

    def __init__(self, name: str, url: str, entering: Sequence[str], env: Mapping[str, str]) -> None:
        """url: of the database; entering: what a command on it is begun with"""
        self.name = name
        self.entering = entering
        self.home = Home()
        self.home.env |= {"ZDRIVER_STORAGE_URL": url, "ZDRIVER_DAEMON_IDLE_EXIT": "0", **env}
        state = Path(self.home.env["XDG_STATE_HOME"]) / "zdriver"
        state.mkdir(parents=True, mode=0o700)
        (state / "host").write_text(f"{uuid4()}\n")  # not derived from this machine's own
        self.project = self.home.path / "shop" / "main"

    def clone(self, origin: Path) -> None:
        self.git("clone", "-q", str(origin), str(self.project), cwd=self.home.path)

    def git(self, *words: str, cwd: Path | None = None) -> None:
        subprocess.run(["git", *words], cwd=cwd or self.project, env=self.home.env, check=True)

    def run(self, *words: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        """`zdriver WORDS`, in the clone."""
        return subprocess.run(
            [*self.entering, *program(), *words],
            env={**self.home.env, **env},
            cwd=cwd or self.project,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )

    def data(self, *words: str, **more: Any) -> Any:
        """What `--json` says; it must have worked."""
        done = self.run(*words, "--json", **more)
        assert done.returncode == 0, f"{self.name}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout)["data"]

    def start(self) -> None:
        done = self.run("daemon", "start")
        assert done.returncode == 0, f"{self.name}: {done.stdout}{done.stderr}"

    def kill(self) -> None:
        """SIGKILL for the daemon and all else that runs there."""
        family = self.home.running()
        for pid in family:
            processes.kill(pid)
        until(lambda: not any(map(processes.alive, family)), what=f"the end of {self.name}")

    @contextmanager
    def here(self) -> Iterator[None]:
        """This process is on it: `zdriver.connect()` means its daemon. One machine at a time."""
        before, cwd = dict(os.environ), Path.cwd()
        for name in [each for each in os.environ if each.startswith(("XDG_", "ZDRIVER_", "ZELLIJ"))]:
            del os.environ[name]
        os.environ.update(self.home.env)
        os.chdir(self.project)
        try:
            yield
        finally:
            os.chdir(cwd)
            os.environ.clear()
            os.environ.update(before)

    @contextmanager
    def driver(self) -> Iterator[Driver]:
        """A connection to its daemon, which is there."""
        with self.here():
            connected = zdriver.connect(start=False, timeout=90)
            connected.claims.list()
        with connected:
            yield connected

    def remove(self) -> None:
        self.home.remove()


class Machines:
    """Some of them on one PostgreSQL, with clones of one repository."""

    def __init__(self, network: Network, server: PostgreSql) -> None:
        self.network = network
        self.server = server
        self.database = "hosts"
        server.database(self.database)
        self.all: list[Machine] = []

    @property
    def admin_url(self) -> str:
        """For plain psycopg: what is really there."""
        return self.server.admin_url(self.database)

    def add(self, origin: Path, env: Mapping[str, str] = {}) -> Machine:
        number = len(self.all)
        there = f"@{self.network.server(number)}:"
        url = self.server.url_of(self.database).replace("@127.0.0.1:", there)
        made = Machine(f"host-{number}", url, self.network.entering(number), env)
        self.all.append(made)
        made.clone(origin)
        made.start()
        return made


@contextmanager
def machines(count: int) -> Iterator[Machines]:
    """Room for `count` of them; the server's commits are on its disk."""
    with ExitStack() as ending:
        network = ending.enter_context(Network(count))
        options = {"listen_addresses": ",".join(network.addresses), "max_connections": "300"}
        folder = ending.enter_context(scratch("pg"))
        server = ending.enter_context(PostgreSql(folder, options=options))
        with (server.data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {network.range} scram-sha-256\n")
        server.sql("SELECT pg_reload_conf()")
        made = Machines(network, server)
        try:
            yield made
        finally:
            for each in made.all:
                each.remove()


Make = Callable[[int], Machines]
