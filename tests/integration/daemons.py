"""What the tests of the daemon ask and do: programs in a home, and the daemon's processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import zdriver
from zdriver.core import paths, platform
from zdriver.testing import Home, until

#: What a user calls; the checkout's script when this interpreter has none.
PROGRAM = Path(sys.executable).with_name("zdriver")
SCRIPT = Path(zdriver.__file__).parent / "data" / "bin" / "zdriver"


def program() -> list[str]:
    return [str(PROGRAM)] if PROGRAM.exists() else [sys.executable, str(SCRIPT)]


def age(pid: int) -> float:
    """Seconds since the process was started (`/proc`: clock ticks since the machine's start)."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    return float(Path("/proc/uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def _parent(pid: int) -> int:
    """0: it has ended."""
    found = platform.process(pid)
    return found.parent if found is not None else 0


class Daemons:
    program = program()

    def __init__(self, home: Home) -> None:
        self.home = home

    def pids(self) -> list[int]:
        """Daemon processes of this home, fork servers and what those forked left out."""
        mains = self._mains()
        return [pid for pid in mains if _parent(pid) not in mains]

    def fork_servers(self) -> list[int]:
        daemons = self.pids()
        return [pid for pid in self._mains() if _parent(pid) in daemons]

    def fork_server(self) -> int:
        """The only one; what the daemon starts looks like it for a moment, until that is executed."""

        def alone() -> int:
            found = self.fork_servers()
            return found[0] if len(found) == 1 else 0

        return until(alone, what="the fork server")

    def forked(self) -> list[int]:
        """The spare of a fork server, and commands that run."""
        servers = self.fork_servers()
        return [pid for pid in self._mains() if _parent(pid) in servers]

    def _mains(self) -> list[int]:
        main = "/zdriver/daemon/__main__.py"
        return [
            pid
            for pid in self.home.running()
            if platform.process(pid) and any(word.endswith(main) for word in platform.argv(pid))
        ]

    def pid(self) -> int:
        """Of the daemon that answers; it is started if need be."""
        with zdriver.connect() as driver:
            return driver.daemon.status().pid

    def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        os.kill(pid, number)

    def gone(self, pid: int, *, deadline: float = 30) -> None:
        until(lambda: platform.process(pid) is None, what=f"the end of {pid}", deadline=deadline)

    def wait_only(self, pid: int) -> None:
        """The fork server of one that is gone ends by itself, a moment later."""
        until(lambda: self.pids() == [pid], what=f"{pid} to be the only daemon")

    def wait_none(self) -> None:
        """No daemon, no fork server, none of its children."""
        until(lambda: not self._mains(), what="the daemon and its fork server to end")

    def log(self) -> str:
        return self.home.daemon_log.read_text() if self.home.daemon_log.exists() else ""

    def run(
        self, *words: str, env: Mapping[str, str] | None = None, **options: object
    ) -> subprocess.CompletedProcess[str]:
        """`zdriver WORDS`, with everything it prints."""
        return subprocess.run(  # type: ignore[call-overload,no-any-return]  # options are passed on
            [*program(), *words],
            **{
                "capture_output": True,
                "text": True,
                "timeout": 60,
                "env": {**self.home.env, **(env or {})},
                "cwd": self.home.path,
                "stdin": subprocess.DEVNULL if "input" not in options else None,
                **options,
            },
        )

    @property
    def socket(self) -> Path:
        return paths.daemon_socket()
