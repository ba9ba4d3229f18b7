"""Programs the tests use, and the Debian packages that have them."""

from __future__ import annotations

import os
import shutil

from workshop.phase import Failed, run

#: program → package
FOR_TESTS = {
    "bash": "bash",
    "fish": "fish",
    "git": "git",
    "less": "less",
    "lsof": "lsof",
    "man": "man-db",
    "ps": "procps",
    "setpriv": "util-linux",
    "socat": "socat",
    "tmux": "tmux",
    "vim": "vim",
    "zsh": "zsh",
}
#: for `cargo install zellij`: it builds OpenSSL and curl
FOR_ZELLIJ = {"cc": "build-essential", "make": "make", "perl": "perl", "pkg-config": "pkg-config"}


def ensure(programs: dict[str, str]) -> None:
    """Have all these programs: installs them as root on Debian. Raises Failed naming what is missing."""
    missing = {program: package for program, package in programs.items() if not shutil.which(program)}
    if not missing:
        return
    packages = sorted(set(missing.values()))
    if os.geteuid() or not shutil.which("apt-get"):
        names = ", ".join(sorted(missing))
        raise Failed(f"missing: {names}. On Debian: sudo apt-get install {' '.join(packages)}")
    print(f"  installing {', '.join(packages)}", flush=True)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-q", env=quiet, limit=600)
    run("apt-get", "install", "-q", "-y", "--no-install-recommends", *packages, env=quiet, limit=1200)
