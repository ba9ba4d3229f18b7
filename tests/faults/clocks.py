"""The wall clock of one host, set by hand: `clock.c`, loaded into its daemon before the C library's."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path


class WallClock:
    """`env` for the programs of that host; `set` moves their clock while they run."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file, library = folder / "ahead", folder / "clock.so"
        self.set(0)
        compiler = shutil.which("cc") or "gcc"
        source = Path(__file__).with_name("clock.c")
        words = [compiler, "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(library), str(source)]
        subprocess.run(words, check=True)
        self.env = {"LD_PRELOAD": str(library), "ZDRIVER_CLOCK_FILE": str(self._file)}

    def set(self, seconds: float) -> None:
        """How far it is ahead of the real one; negative: behind."""
        # In place: it is mapped.
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(struct.pack("=q", int(seconds * 1e9)))
