"""A copy of the package in which `probe.py` is the command line: it shows what a forked command sees."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import pexpect

import zdriver
from tests.integration import probe
from tests.integration.daemons import Daemons
from zdriver.core import platform
from zdriver.testing import Home, until

#: For the environment of a command that shall not be forked.
IN_PLACE = {"ZDRIVER_NO_FORK": "1"}


class Copy:
    """The package in a folder of its own, with the probe as its commands, and its daemon running."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home = home
        self.daemons = Daemons(home)
        self.package = folder / "zdriver"
        source = Path(zdriver.__file__).parent
        shutil.copytree(source, self.package, ignore=shutil.ignore_patterns("__pycache__", "*.wasm"))
        shutil.copy(probe.__file__, self.package / "cli" / "main.py")
        (self.package / "cli" / "rehearsal.py").write_text("def rehearse(): 'The probe has nothing to.'\n")
        self.env = {**home.env, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        self.argv = [sys.executable, str(self.package / "data" / "bin" / "zdriver")]
        self._started: list[subprocess.Popen[str]] = []
        self.start()

    def start(self) -> None:
        code = "import zdriver; print(zdriver.connect().daemon.status().pid)"
        self.daemon = int(subprocess.check_output([sys.executable, "-c", code], env=self.env, timeout=60))
        until(self.forks, what="the fork server to serve")

    def end(self) -> None:
        """Of what a failed test left."""
        for started in self._started:
            if started.returncode is None:
                started.kill()
                started.communicate(timeout=20)

    def forks(self) -> bool:
        """Whether commands are run by the fork server: the process they say they are is not ours."""
        started = self.popen("where")
        said, _ = started.communicate(timeout=30)
        return int(said.split()[1]) != started.pid

    def popen(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        settings: dict[str, Any] = {"env": self.env, "cwd": self.home.path, "text": True}
        settings |= {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started: subprocess.Popen[str] = subprocess.Popen([*self.argv, *words], **{**settings, **options})
        self._started.append(started)
        return started

    def waiting(self) -> tuple[subprocess.Popen[str], tuple[int, int]]:
        """A forked command that waits for the end of its stdin: its caller; its pid and its child's.

        A server that did not greet within two seconds has none: the command runs in place, and another
        is tried.
        """

        def forked() -> tuple[subprocess.Popen[str], tuple[int, int]] | None:
            caller = self.popen("wait", stdin=subprocess.PIPE)
            assert caller.stdout is not None
            pid, child = map(int, caller.stdout.readline().split())
            if pid != caller.pid:
                return caller, (pid, child)
            caller.communicate(timeout=30)
            return None

        return until(forked, what="a command that the fork server runs")

    def run(self, *words: str, **options: Any) -> tuple[int, str, str]:
        given = options.pop("input", None)
        if given is not None:
            options["stdin"] = subprocess.PIPE
        started = self.popen(*words, **options)
        out, err = started.communicate(given, timeout=60)
        return started.returncode, out, err

    def terminal(self, *words: str, **options: Any) -> Terminal:
        return Terminal(self, words, options)

    def facts(self, *words: str, **options: Any) -> dict[str, Any]:
        code, out, err = self.run("facts", *words, **options)
        assert code == 0, err
        found: dict[str, Any] = json.loads(out)
        return found


class Terminal:
    """A command in a pseudo-terminal of its own, where it is the foreground job."""

    def __init__(self, copy: Copy, words: tuple[str, ...], options: dict[str, Any]) -> None:
        self.spawned = pexpect.spawn(
            copy.argv[0],
            [*copy.argv[1:], *words],
            env=copy.env,
            cwd=str(copy.home.path),
            encoding="utf-8",
            timeout=20,
            **options,
        )

    def read(self, pattern: str) -> tuple[str, ...]:
        """The groups of the pattern, when it has come."""
        self.spawned.expect(pattern)
        match = self.spawned.match
        assert isinstance(match, re.Match)
        return match.groups()

    def ending(self) -> int:
        """Exit code as a shell shows it."""
        self.spawned.expect(pexpect.EOF)
        self.spawned.close()
        if self.spawned.signalstatus is not None:
            return 128 + self.spawned.signalstatus
        assert self.spawned.exitstatus is not None
        return int(self.spawned.exitstatus)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.spawned.close(force=True)


def relays(pid: int) -> bool:
    """Whether this caller hands signals on by now: from a moment after its command has begun."""
    found = re.search(r"^SigCgt:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return bool(int(found[1], 16) >> (signal.SIGTSTP - 1) & 1)


def gone(*pids: int) -> None:
    """Waits for the end of these processes."""
    for pid in pids:
        until(lambda: platform.process(pid) is None, what=f"the end of {pid}")  # noqa: B023 at once
