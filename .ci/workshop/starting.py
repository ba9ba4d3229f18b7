"""`make start`: Zellij with zdriver, beside the user's own configuration and not in it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from workshop.phase import Failed, run
from workshop.places import CHECKOUT, cache


def start(app: Path, zellij: Path) -> None:
    """Becomes Zellij, or, where no terminal is, the demo. Does not return."""
    environment = {**os.environ, "PATH": path_with(app, zellij)}
    command = app / "bin" / "zdriver"
    sys.stdout.flush()
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("no terminal here: playing the demo instead", flush=True)
        os.execve(command, ["zdriver", "demo"], environment)
    if "ZELLIJ" in os.environ:
        raise Failed("this is inside Zellij already; run make start in a terminal of its own")
    environment["ZELLIJ_CONFIG_DIR"] = str(_configuration())
    run(command, "setup", "zellij", "--yes", env=environment, limit=60)
    os.chdir(CHECKOUT)
    os.execve(zellij, ["zellij"], environment)


def path_with(app: Path, zellij: Path | None) -> str:
    """PATH with the installed zdriver first."""
    first = [str(app / "bin"), *([str(zellij.parent)] if zellij else [])]
    return os.pathsep.join([*first, os.environ.get("PATH", os.defpath)])


def _configuration() -> Path:
    """A copy of the user's folder, made anew each time: their keys and themes, not their file."""
    ours = cache() / "start" / "zellij"
    shutil.rmtree(ours, ignore_errors=True)
    theirs = _theirs()
    if theirs.is_dir():
        shutil.copytree(theirs, ours, ignore_dangling_symlinks=True)
    ours.mkdir(parents=True, exist_ok=True)
    return ours


def _theirs() -> Path:
    named = os.environ.get("ZELLIJ_CONFIG_DIR")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".config") / "zellij"
