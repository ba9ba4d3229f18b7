"""The Pythons on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

FLOOR = (3, 11)
#: What a Python must have to be used, and what is printed about it.
_ASK = (
    "import sys, venv, ensurepip, ssl; "
    "print(*sys.version_info[:3], sys.version_info.releaselevel, sys.executable)"
)


class Python(NamedTuple):
    version: tuple[int, int, int]
    path: str

    @property
    def tag(self) -> str:
        """`cp311`; patch versions share their environment."""
        return f"cp{self.version[0]}{self.version[1]}"

    def __str__(self) -> str:
        return f"Python {'.'.join(map(str, self.version))}"


def this() -> Python:
    return Python(sys.version_info[:3], sys.executable)


def newest() -> Python:
    """The newest finished Python found: on PATH, in pyenv and in uv's folder."""
    return max({found for name in _candidates() if (found := _ask(name))} | {this()})


def _candidates() -> list[str]:
    minors = range(FLOOR[1], FLOOR[1] + 8)
    on_path = [found for minor in minors if (found := shutil.which(f"python3.{minor}"))]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    managed = Path.home() / ".local" / "share" / "uv" / "python"
    return on_path + [
        str(found)
        for folder, pattern in ((pyenv, "3.*/bin/python"), (managed, "cpython-3.*/bin/python3"))
        for found in sorted(folder.glob(pattern))
    ]


def _ask(name: str) -> Python | None:
    answer = subprocess.run([name, "-c", _ASK], capture_output=True, text=True, check=False)
    words = answer.stdout.strip().split(" ", 4)
    if answer.returncode or len(words) != 5 or words[3] != "final":
        return None
    version = (int(words[0]), int(words[1]), int(words[2]))
    return Python(version, words[4]) if version >= FLOOR else None
