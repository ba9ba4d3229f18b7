"""Passwords of engines, from a file or a command: `[storage] password_file`, `password_command`.

No error has the secret in it, nor what a command printed.
"""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from pathlib import Path

from zdriver.core.errors import Unavailable

TIMEOUT = 10.0  #: seconds that a command may take
LENGTH_MAX = 4096  #: bytes


def found(section: str, *, file: str, command: str, in_url: bool) -> str | None:
    """The password that `section` (as "storage") sets beside its URL; None where it sets none.

    Raises Unavailable: it is set twice, or cannot be had.
    """
    places = [
        name
        for name, there in (
            (f"{section}.url", in_url),
            (f"{section}.password_file", bool(file)),
            (f"{section}.password_command", bool(command)),
        )
        if there
    ]
    if len(places) > 1:
        raise Unavailable(f"{' and '.join(places)} both have a password", hint="leave one of them")
    if file:
        return _line(f"{section}.password_file", _from_file(f"{section}.password_file", file))
    if command:
        return _line(f"{section}.password_command", _from_command(f"{section}.password_command", command))
    return None


def open_to_others(file: str) -> bool:
    """Whether somebody else may read the file, so that a warning is due."""
    try:
        return bool(stat.S_IMODE(Path(file).expanduser().stat().st_mode) & 0o077)
    except (OSError, RuntimeError):
        return False


def _from_file(setting: str, file: str) -> bytes:
    try:
        path = Path(file).expanduser()
    except RuntimeError:
        path = Path(file)
    if not path.is_absolute():
        # The daemon has no current folder of its own.
        raise Unavailable(f"{setting} is not an absolute path", hint="begin it with / or ~/")
    try:
        # A pipe or a device would hold up the start: only what is a file is opened.
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unavailable(f"{setting}: {path} is not a file", hint="name a file with the password in it")
        with path.open("rb") as stream:
            return stream.read(LENGTH_MAX + 1)
    except OSError as error:
        raise Unavailable(
            f"{setting}: {path} cannot be read: {error.strerror}", hint="its first line is the password"
        ) from None


def _from_command(setting: str, command: str) -> bytes:
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise Unavailable(f"{setting} cannot be split into words: {error}", hint="check its quotes") from None
    if not argv:
        raise Unavailable(f"{setting} is empty", hint="unset it")
    try:
        # In a group of its own, so that what it started ends with it.
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise Unavailable(
            f"{setting}: {argv[0]} cannot be started: {error.strerror}", hint="it is run without a shell"
        ) from None
    try:
        said, _ = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise Unavailable(
            f"{setting}: {argv[0]} did not end within {TIMEOUT:.0f} s", hint="it must not ask anything"
        ) from None
    finally:
        _end(process)
    if process.returncode != 0:
        raise Unavailable(
            f"{setting}: {argv[0]} ended with exit code {process.returncode}",
            hint="run it by hand and see why",
        )
    return said


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill it and what it started, unless it was waited for: till then its group is nobody else's."""
    import signal

    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _line(setting: str, said: bytes) -> str:
    """The first line."""
    if len(said) > LENGTH_MAX:
        raise Unavailable(
            f"{setting} gives more than {LENGTH_MAX} bytes", hint="the first line is the password"
        )
    try:
        text = said.decode().partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        raise Unavailable(f"{setting} gives no UTF-8 text", hint="the first line is the password") from None
    if not text:
        raise Unavailable(f"{setting} gives no password", hint="its first line is the password")
    return text
