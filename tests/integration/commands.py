"""The `zdriver` program as a user and a script call it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.integration.daemons import program
from zdriver.testing import Home, Terminal


class Cli:
    """`zdriver` in a home: called with its words it gives all that was printed, and the exit code."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def __call__(
        self, *words: str, stdin: str = "", cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*program(), *words],
            env={**self.home.env, **env},
            cwd=cwd or self.home.path,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def data(self, *words: str, **more: Any) -> Any:
        """What `--json` says; it must have worked, and have said nothing else."""
        done = self(*words, "--json", **more)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        (line,) = done.stdout.splitlines()
        envelope = json.loads(line)
        assert (envelope["v"], envelope["ok"]) == (1, True)
        return envelope["data"]

    def refused(self, *words: str, **more: Any) -> tuple[int, str]:
        """Exit code and code of the error; both ways to print it are one message and one hint."""
        plain, as_json = self(*words, **more), self(*words, "--json", **more)
        assert plain.returncode == as_json.returncode
        assert plain.stdout == ""
        assert as_json.stderr == ""
        lines = plain.stderr.splitlines()
        error = json.loads(as_json.stdout)["error"]
        assert lines[0] == f"error: {error['message']}"
        assert lines[1:] == ([f"hint:  {error['hint']}"] if error["hint"] else [])
        return as_json.returncode, error["code"]


def in_terminal(home: Home, *words: str, **env: str) -> Terminal:
    """The command in a terminal; its exit code is shown when it has ended."""
    script = '"$@"; echo "code=$?"; read -r _'
    argv = ["/bin/bash", "-c", script, "bash", *program(), *words]
    return Terminal(argv, env={**home.env, **env}, cwd=home.path)
