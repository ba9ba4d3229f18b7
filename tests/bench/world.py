"""Where it is measured: a throw-away home, with a daemon of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zdriver
from zdriver.library import Driver
from zdriver.testing import Home, processes, until


class World:
    def __init__(self, home: Home) -> None:
        self.home = home
        self.project = home.path / "project"
        self.project.mkdir()

    def daemon(self) -> Driver:
        """A connection to the daemon, which is started if need be."""
        driver = zdriver.connect()
        driver.daemon.status()
        return driver

    def daemon_pids(self) -> list[int]:
        """The daemon and its fork server."""
        return [pid for pid in self.home.running() if "zdriver" in " ".join(processes.argv(pid))]

    def stop_daemon(self) -> None:
        subprocess.run(["zdriver", "daemon", "stop"], capture_output=True, check=False)
        until(lambda: not self.daemon_pids(), what="the daemon to end", deadline=20)


@contextmanager
def world() -> Iterator[World]:
    """This process moves into the home: everything it starts is in it."""
    before = dict(os.environ)
    with Home() as home:
        os.environ.clear()
        os.environ.update(home.env)
        home.write_config()
        try:
            made = World(home)
            for words in (("init", "-q", "-b", "main"), ("commit", "-q", "--allow-empty", "-m", "x")):
                subprocess.run(["git", *words], cwd=made.project, check=True)
            yield made
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextmanager
def bare(*words: str, socket: Path) -> Iterator[None]:
    """A server of `tests.bench.bare` in a process of its own."""
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.bare", *words, str(socket)])
    try:
        until(socket.exists, what=f"the bare {words[0]}")
        yield
    finally:
        process.kill()
        process.wait()
