"""The Zellij that is driven: from PATH, or built once into the cache."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from workshop import debian
from workshop.phase import Failed, run
from workshop.places import cache, locked

VERSION = "0.45.1"
#: Without link-time optimisation it runs as well for us and is built in half the time.
_FASTER = {
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_DEBUG": "0",
}


def find() -> Path | None:
    """A Zellij of the right series: `$ZDRIVER_ZELLIJ`, PATH, or our own."""
    named = os.environ.get("ZDRIVER_ZELLIJ") or shutil.which("zellij")
    for path in (Path(named) if named else None, _ours()):
        if path and _version(path).rpartition(".")[0] == VERSION.rpartition(".")[0]:
            return path
    return None


def ensure() -> Path:
    """`find`, else build it: 10 to 25 minutes on two cores, once per machine."""
    found = find()
    if found:
        return found
    with locked("zellij build"):
        return find() or _build()


def _build() -> Path:
    if not shutil.which("cargo"):
        raise Failed(
            f"Zellij {VERSION} is not here, and neither is cargo to build it.\n"
            f"Put a Zellij {VERSION} on PATH (or in $ZDRIVER_ZELLIJ), or install Rust 1.95 or newer."
        )
    debian.ensure(debian.FOR_ZELLIJ)
    print(
        f"  Zellij {VERSION} is not on PATH: building it with cargo, once (10 to 25 minutes on two cores).\n"
        f"  Faster: stop this, put a Zellij {VERSION} on PATH, and run this again.",
        flush=True,
    )
    target = cache() / "zellij" / "target"
    run(
        *("cargo", "install", "--locked", "--quiet", "zellij", "--version", VERSION),
        *("--root", _ours().parents[1]),
        env={**_FASTER, "CARGO_TARGET_DIR": str(target)},
        limit=4500,
        says="building Zellij",
    )
    shutil.rmtree(target, ignore_errors=True)
    return _ours()


def _ours() -> Path:
    return cache() / "zellij" / VERSION / "bin" / "zellij"


def _version(path: Path) -> str:
    """`0.45.1`, or "" when it cannot be run."""
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.fullmatch(r"zellij (\d+\.\d+\.\d+)\S*\s*", said.stdout)
    return found[1] if found else ""
