"""Programs the tests use, and the Debian packages that have them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workshop.phase import Failed, run

#: program → package
FOR_TESTS = {
    "bash": "bash",
    "cc": "build-essential",
    "erl_call": "erlang-base",
    "fish": "fish",
    "git": "git",
    "less": "less",
    "lsof": "lsof",
    "man": "man-db",
    "openssl": "openssl",
    "postgres": "postgresql",
    "ps": "procps",
    "rabbitmq-server": "rabbitmq-server",
    "redis-server": "redis-server",
    "setpriv": "util-linux",
    "socat": "socat",
    "tmux": "tmux",
    "vim": "vim",
    "zsh": "zsh",
}
#: for `cargo install zellij`: it builds OpenSSL and curl
FOR_ZELLIJ = {"cc": "build-essential", "make": "make", "perl": "perl", "pkg-config": "pkg-config"}
#: where Debian puts those that are not on everybody's PATH
PLACES = ("/usr/sbin", *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin"))))


def there(program: str) -> bool:
    return bool(shutil.which(program) or shutil.which(program, path=os.pathsep.join(PLACES)))


def ensure(programs: dict[str, str]) -> None:
    """Have all these programs: installs them as root on Debian. Raises Failed naming what is missing."""
    missing = {program: package for program, package in programs.items() if not there(program)}
    if not missing:
        return
    packages = sorted(set(missing.values()))
    if os.geteuid() or not shutil.which("apt-get"):
        names = ", ".join(sorted(missing))
        raise Failed(f"missing: {names}. On Debian: sudo apt-get install {' '.join(packages)}")
    print(f"  installing {', '.join(packages)}", flush=True)
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-q", env=quiet, limit=600)
    with no_services():
        run("apt-get", "install", "-q", "-y", "--no-install-recommends", *packages, env=quiet, limit=1200)


@contextmanager
def no_services() -> Iterator[None]:
    """What is installed meanwhile is not started: the tests start servers of their own.

    Debian asks this program (invoke-rc.d(8)); one that the machine has already is left as it is.
    """
    policy = Path("/usr/sbin/policy-rc.d")
    try:
        with policy.open("x") as file:
            file.write("#!/bin/sh\nexit 101\n")
    except FileExistsError:
        yield
        return
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()
