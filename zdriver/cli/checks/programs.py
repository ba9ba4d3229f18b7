"""The programs that zdriver works with."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from collections.abc import Iterator

from zdriver import __version__
from zdriver.cli.checks import Check, fail, ok, warn

#: The series that the plugin's interface was built for.
ZELLIJ_OLDEST = (0, 45)
GIT_OLDEST = (2, 25)
TIMEOUT = 5.0  #: seconds that a program may take to say its version


def check_programs() -> Iterator[Check]:
    yield ok("zdriver", f"{__version__} on Python {platform.python_version()}")
    yield _zellij()
    yield _git()


def _zellij() -> Check:
    said = _version_of("zellij")
    if said is None:
        return fail("zellij", "zellij was not found", "install Zellij 0.45 or newer, and have it on PATH")
    version = numbers(said)
    if version[:2] < ZELLIJ_OLDEST:
        return fail("zellij", f"{said} is too old", "install Zellij 0.45 or newer")
    if version[:2] > ZELLIJ_OLDEST:
        return warn("zellij", f"{said} is newer than what was tested", "if panes do not come back, report it")
    return ok("zellij", said)


def _git() -> Check:
    said = _version_of("git")
    if said is None:
        return warn("git", "git was not found", "install it: without it no commit is taken along")
    if numbers(said)[:2] < GIT_OLDEST:
        return warn("git", f"{said} is old", "install git 2.25 or newer")
    return ok("git", said)


def _version_of(program: str) -> str | None:
    """What `PROGRAM --version` says; None when there is no such program, or it does not answer."""
    path = shutil.which(program)
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip().partition("\n")[0]


def numbers(said: str) -> tuple[int, ...]:
    """ "zellij 0.45.1" → (0, 45, 1)"""
    found = re.search(r"\d+(?:\.\d+)+", said, re.ASCII)
    return tuple(map(int, found[0].split("."))) if found else (0,)
