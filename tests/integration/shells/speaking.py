"""bash, zsh and fish: how each is started without anybody's files, and what it calls things."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from zdriver.testing import Home, Terminal

SHELLS = ("bash", "zsh", "fish")

_BARE = {"bash": ["bash", "--norc"], "zsh": ["zsh", "-f"], "fish": ["fish", "--no-config"]}
_BEGIN = {
    "bash": 'eval "$(zdriver setup shell bash)"',
    "zsh": 'eval "$(zdriver setup shell zsh)"',
    "fish": "zdriver setup shell fish | source",
}
#: The folder as the system has it, whatever its name: ended by a NUL.
WHERE = "readlink -z /proc/self/cwd"


class Shell:
    def __init__(self, home: Home, name: str) -> None:
        self.home = home
        self.name = name
        self.begin = _BEGIN[name]
        self.code = "$status" if name == "fish" else "$?"

    @property
    def env(self) -> dict[str, str]:
        return {**self.home.env, "SHELL": f"/bin/{self.name}"}

    def run(
        self, *lines: str, cwd: Path, env: Mapping[str, str] | None = None, bare: bool = False
    ) -> subprocess.CompletedProcess[bytes]:
        """A script of these lines, after the line that brings the function in (`bare`: without)."""
        script = "\n".join(lines if bare else (self.begin, *lines))
        return subprocess.run(
            [*_BARE[self.name], "-c", script],
            env={**self.env, **(env or {})},
            cwd=cwd,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )

    def window(self, cwd: Path, *, rows: int = 24, columns: int = 100, **env: str) -> Terminal:
        """It waits for what is typed; the function is there."""
        terminal = Terminal(_BARE[self.name], env={**self.env, **env}, cwd=cwd, rows=rows, columns=columns)
        terminal.write(f"{self.begin}\r")
        terminal.write("echo rea''dy\r")
        terminal.wait_for(lambda screen: "ready" in screen.split())
        return terminal

    def left_behind(self) -> list[str]:
        """The function's files that are still there."""
        return [file.name for file in Path(self.home.env["TMPDIR"]).glob("zdriver-cd*")]
