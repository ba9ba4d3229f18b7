"""Stands in the place of `zdriver/cli/main.py` in a copy of the package: shows what a command sees."""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

VERSION = "one"
LIMITS = [name for name in dir(resource) if name.startswith("RLIMIT_")]


class cli:  # noqa: N801 the name that the fork server asks for
    @staticmethod
    def preload() -> None:
        """Nothing to load."""


def run(argv: list[str]) -> int:
    try:
        code: int = globals()[f"do_{argv[0]}"](*argv[1:])
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    return code


def do_facts(*_words: str) -> int:
    try:
        folder = str(Path.cwd())
    except FileNotFoundError:
        folder = ""
    umask = os.umask(0)
    os.umask(umask)
    facts = {
        "argv": sys.argv,
        "cwd": folder,
        "environ": dict(os.environ),
        "umask": umask,
        "ttys": [os.isatty(fd) for fd in (0, 1, 2)],
        "streams": [
            (s.encoding, s.errors, s.line_buffering, s.name) for s in (sys.stdin, sys.stdout, sys.stderr)
        ],
        "fds": [fd for fd in range(100) if _inheritable(fd)],
        "zone": time.strftime("%Z"),
        "signals": {s.name: str(signal.getsignal(s)) for s in signal.Signals},
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "limits": {name: resource.getrlimit(getattr(resource, name)) for name in LIMITS},
        "handlers": len(logging.getLogger().handlers),
    }
    print(json.dumps(facts, default=str))
    return 0


def _inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


def do_where() -> int:
    print(VERSION, os.getpid(), os.getppid())
    return 0


def do_mark(file: str) -> int:
    """A line in a file for every time that it runs."""
    with Path(file).open("a") as marks:
        marks.write(f"{os.getpid()}\n")
    return 0


def do_copy() -> int:
    sys.stdout.write(sys.stdin.read())
    return 0


def do_size() -> int:
    print("size", *os.get_terminal_size())
    return 0


def do_ask() -> int:
    print("you said", input("what? "))
    return 0


def do_fill(path: str) -> int:
    """Write more than `ulimit -f` may allow."""
    try:
        Path(path).write_bytes(b"x" * 100_000)
    except OSError as error:
        print(error.strerror)
    return 0


def do_exit(code: str) -> int:
    print("out")
    print("err", file=sys.stderr)
    sys.exit(int(code))


def do_die(number: str) -> int:
    os.kill(os.getpid(), int(number))
    return 0


def do_crash() -> int:
    raise RuntimeError("oops")


def do_leave() -> int:
    """Something in the background that outlives the command."""
    null = subprocess.DEVNULL
    print(subprocess.Popen(["sleep", "1000"], stdin=null, stdout=null, stderr=null).pid)
    return 0


def do_wait() -> int:
    """Until its stdin ends; says its pid and that of a child of its own."""
    child = subprocess.Popen(["sleep", "1000"])
    print(os.getpid(), child.pid, flush=True)
    try:
        sys.stdin.read()
    finally:
        child.terminate()
    print("done")
    return 0
