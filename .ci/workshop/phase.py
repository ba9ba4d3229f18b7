"""Steps with a line each: what is done, and how long it took."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

#: Lines of a failed command's output that are shown.
SHOWN = 200


class Failed(Exception):
    """A step did not do what it should; the message is for a person."""

    printed = False


@contextmanager
def phase(what: str) -> Iterator[None]:
    print(f"▸ {what}", flush=True)
    began = time.monotonic()
    try:
        yield
    except Failed as problem:
        print(f"✗ {what} ({time.monotonic() - began:.1f} s)\n{problem}", flush=True)
        problem.printed = True
        raise
    print(f"✓ {what} ({time.monotonic() - began:.1f} s)", flush=True)


def run(
    *argv: str | Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    limit: float = 1800,
    says: str = "",
) -> None:
    """Run quietly; raises Failed with the end of its output when it fails or takes over `limit` s.

    `says` is printed with the elapsed time each minute, so that a long silence is explained.
    """
    command = [str(word) for word in argv]
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        code = _wait(_start(command, cwd, env, output), limit, says)
        if code == 0:
            return
        output.seek(0)
        tail = "".join(output.readlines()[-SHOWN:])
    why = f"took more than {limit:.0f} s" if code is None else f"ended with {code}"
    raise Failed(f"{tail}\n{' '.join(command)}\n{why}")


def _start(
    command: Sequence[str], cwd: Path | None, env: Mapping[str, str] | None, output: IO[str] | None
) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output else None,
            start_new_session=True,
            text=True,
        )
    except OSError as problem:
        raise Failed(f"{command[0]} cannot be run: {problem.strerror}") from problem


def _wait(process: subprocess.Popen[str], limit: float, says: str) -> int | None:
    """The exit code, or None when it had to be ended. Its whole process group goes with it."""
    began = time.monotonic()
    try:
        while True:
            left = limit - (time.monotonic() - began)
            try:
                return process.wait(timeout=max(0.0, min(left, 60.0)))
            except subprocess.TimeoutExpired:
                elapsed = time.monotonic() - began
                if elapsed >= limit:
                    return None
                if says:
                    print(f"  {says}: {elapsed / 60:.0f} min so far", flush=True)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def shown(
    *argv: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None, limit: float = 3600
) -> int:
    """Run with its output shown as it comes; the exit code (124 when it took over `limit` s)."""
    sys.stdout.flush()
    code = _wait(_start([str(word) for word in argv], cwd, env, None), limit, "")
    return 124 if code is None else code
