"""A process's terminal, looked at from outside: when something was printed on it, what waits to be read
from it, and its mode."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import termios
from collections.abc import Iterator
from pathlib import Path

from zdriver.core import platform

#: Linux gives pseudo-terminals these major numbers, 256 terminals each (admin-guide/devices).
_PTS_MAJORS = range(136, 144)
_LFLAG = 3  #: index of the local modes in what tcgetattr returns


def path(pid: int) -> str:
    """The controlling terminal of `pid`; "" when it has none, or is gone."""
    return _path_proc(pid) if platform.LINUX else path_ps(pid)


def _path_proc(pid: int) -> str:
    """proc(5), `tty_nr`: the minor number lies in bits 0-7 and 20-31, the major in 8-15."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        number = int(text[text.rfind(")") + 2 :].split()[4])
    except (OSError, ValueError, IndexError):
        return ""
    major, minor = number >> 8 & 0xFF, number & 0xFF | number >> 12 & 0xFFF00
    if major not in _PTS_MAJORS:
        return ""
    return f"/dev/pts/{(major - _PTS_MAJORS.start) * 256 + minor}"


def path_ps(pid: int) -> str:
    """The same from `ps`, which every Unix has."""
    name = platform.output("ps", "-o", "tty=", "-p", str(pid)).strip()
    return f"/dev/{name}" if name and not name.startswith("?") else ""


def written_at(terminal: str) -> int | None:
    """When a program last printed on it (seconds since the epoch, `scrollback.WRITTEN_SPAN`)."""
    try:
        return int(Path(terminal).stat().st_mtime)
    except OSError:
        return None


def is_raw(terminal: str) -> bool:
    """Whether a program reads single keys from it, as those do that fill the whole screen."""
    try:
        with _opened(terminal) as fd:
            return not termios.tcgetattr(fd)[_LFLAG] & termios.ICANON
    except (OSError, termios.error):
        return False


def unread(terminal: str) -> int:
    """Bytes that were typed, and that no program has read yet: of a terminal read by lines, whole lines."""
    try:
        with _opened(terminal) as fd:
            answer = fcntl.ioctl(fd, termios.FIONREAD, bytes(4))
    except OSError:
        return 0
    return int(struct.unpack("i", answer)[0])


@contextlib.contextmanager
def _opened(terminal: str) -> Iterator[int]:
    fd = os.open(terminal, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)
