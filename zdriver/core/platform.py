"""What differs between systems: peers, watching and looking up processes.

Linux is asked through SO_PEERCRED, pidfds and /proc. The portable ways beside them
(`ps`, `lsof`, polling, LOCAL_PEERCRED) are functions of their own, so that the tests
run them on Linux too.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self

LINUX = sys.platform.startswith("linux")

#: Seconds between two looks where the system cannot tell that a process ended.
POLL_EVERY = 0.5
#: Seconds that `ps` or `lsof` may take.
_TOOL_TIMEOUT = 3.0


# -- who is at the other end of a Unix socket ------------------------------------------------


class Peer(NamedTuple):
    pid: int  #: 0 where the system does not tell
    uid: int
    gid: int


def peer(sock: socket.socket) -> Peer:
    """Who opened the other end. Raises OSError when that cannot be known."""
    return _peer_linux(sock) if LINUX else _peer_bsd(sock)


def _peer_linux(sock: socket.socket) -> Peer:
    size = struct.calcsize("3i")
    return Peer(*struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)))


def _peer_bsd(sock: socket.socket) -> Peer:
    # sys/un.h on macOS and FreeBSD: SOL_LOCAL 0, LOCAL_PEERCRED 1, answer struct xucred
    return parse_xucred(sock.getsockopt(0, 1, 128))


def parse_xucred(data: bytes) -> Peer:
    """struct xucred: version u32 (0), uid u32, number of groups i16, groups u32 from byte 12."""
    if len(data) < 16:
        raise OSError("the peer's credentials are too short")
    version, uid, count = struct.unpack_from("=IIh", data)
    if version != 0 or count < 1:
        raise OSError("the peer's credentials are of an unknown form")
    return Peer(0, uid, struct.unpack_from("=I", data, 12)[0])


# -- processes -------------------------------------------------------------------------------


class Process(NamedTuple):
    pid: int
    parent: int
    group: int  #: process group
    session: int
    tty_group: int  #: foreground process group of its terminal, -1 without one
    started: str  #: opaque; with the pid it names one process, also after the pid is reused


def process(pid: int) -> Process | None:
    """What is known of `pid`; None when there is no such process, or it is a zombie."""
    return _process_proc(pid) if LINUX else process_ps(pid)


def _process_proc(pid: int) -> Process | None:
    """proc(5): the command's name in brackets may hold anything, so fields count from the last ")"."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    fields = text[text.rfind(")") + 2 :].split()
    if len(fields) < 20 or fields[0] in "ZX":
        return None
    parent, group, session, _tty, tty_group = map(int, fields[1:6])
    return Process(pid, parent, group, session, tty_group, fields[19])


def process_ps(pid: int) -> Process | None:
    """The same from `ps`, which every Unix has."""
    text = output("ps", "-o", "ppid=,pgid=,sess=,tpgid=,state=,lstart=", "-p", str(pid))
    fields = text.split(None, 5)
    if len(fields) < 6 or fields[4].startswith("Z"):
        return None
    try:
        # macOS prints the session as an address
        session = int(fields[2]) if fields[2].isdigit() else 0
        return Process(pid, int(fields[0]), int(fields[1]), session, int(fields[3]), fields[5].strip())
    except ValueError:
        return None


def glance(pid: int) -> tuple[int, str]:
    """(foreground group of its terminal, name of the program); changes when either does. (0, ""): gone.

    A tenth of the cost of `process` and `argv` together, for whoever asks every second.
    """
    if not LINUX:
        found = process(pid)
        return (0, "") if found is None else (found.tty_group, "")
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0, ""
    try:
        data = os.read(fd, 4096)
    except OSError:
        return 0, ""
    finally:
        os.close(fd)
    end = data.rfind(b")")
    fields = data[end + 2 :].split(None, 6)
    if len(fields) < 6 or fields[0] in b"ZX":
        return 0, ""
    return int(fields[5]), os.fsdecode(data[data.find(b"(") + 1 : end])


def argv(pid: int) -> tuple[str, ...]:
    """Exact arguments; empty when the process is gone, somebody else's, or the kernel's."""
    return _argv_proc(pid) if LINUX else argv_ps(pid)


def _argv_proc(pid: int) -> tuple[str, ...]:
    try:
        data = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ()
    if not data:
        return ()
    return tuple(os.fsdecode(part) for part in data.removesuffix(b"\0").split(b"\0"))


def argv_ps(pid: int) -> tuple[str, ...]:
    """Words as `ps` prints them: an argument with spaces in it comes apart."""
    return tuple(output("ps", "-ww", "-o", "args=", "-p", str(pid)).split())


def environ(pid: int) -> dict[str, str]:
    """What `pid` was started with; empty where that cannot be known."""
    try:
        data = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return {}
    return dict(pair.split("=", 1) for pair in os.fsdecode(data).split("\0") if "=" in pair)


def cwd(pid: int) -> str:
    """Absolute path, "" when it cannot be known or the folder was deleted."""
    return _cwd_proc(pid) if LINUX else cwd_lsof(pid)


def _cwd_proc(pid: int) -> str:
    link = f"/proc/{pid}/cwd"
    try:
        path = os.readlink(link)  # as text, it may name a folder that is gone
        if path.endswith(" (deleted)") and not Path(path).is_dir():
            return ""
    except OSError:
        return ""
    return path if path.startswith("/") else ""


def cwd_lsof(pid: int) -> str:
    """From `lsof -F`: a line per field, the name's begins with n."""
    for line in output("lsof", "-a", "-d", "cwd", "-Fn", "-p", str(pid)).splitlines():
        if line.startswith("n/"):
            return line[1:].removesuffix(" (deleted)")
    return ""


def foreground(pid: int) -> int:
    """The process that has the terminal of shell `pid`: its foreground group's leader.

    `pid` itself when it is idle; when the leader is gone (`cat f | less`), the oldest member
    of the group; 0 when `pid` is gone.
    """
    shell = process(pid)
    if shell is None:
        return 0
    if shell.tty_group <= 0 or shell.tty_group == shell.group:
        return pid
    leader = process(shell.tty_group)
    if leader is not None and leader.group == shell.tty_group:
        return leader.pid
    members = group_members(shell.tty_group)
    return members[0] if members else pid


def group_members(group: int) -> list[int]:
    """Pids of a process group, the lowest first."""
    return _group_proc(group) if LINUX else group_ps(group)


def _group_proc(group: int) -> list[int]:
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    found = (_process_proc(pid) for pid in pids)
    return sorted(one.pid for one in found if one is not None and one.group == group)


def group_ps(group: int) -> list[int]:
    rows = (line.split() for line in output("ps", "-A", "-o", "pid=,pgid=").splitlines())
    return sorted(int(row[0]) for row in rows if len(row) == 2 and row[1] == str(group))


def children(pid: int) -> list[int]:
    """Pids of the processes that `pid` started and that still are, the lowest first."""
    return _children_proc(pid) if LINUX else children_ps(pid)


def _children_proc(pid: int) -> list[int]:
    found = (_process_proc(each) for each in pids())
    return sorted(one.pid for one in found if one is not None and one.parent == pid)


def children_ps(pid: int) -> list[int]:
    rows = (line.split() for line in output("ps", "-A", "-o", "pid=,ppid=,state=").splitlines())
    return sorted(int(row[0]) for row in rows if len(row) == 3 and row[1] == str(pid) and row[2][0] != "Z")


def pids() -> list[int]:
    """Every process of this machine that can be seen."""
    if LINUX:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [int(word) for word in output("ps", "-A", "-o", "pid=").split() if word.isdigit()]


def output(*command: str) -> str:
    """What a tool prints; "" when it is missing, fails or takes too long."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_TOOL_TIMEOUT,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return os.fsdecode(done.stdout)


@cache
def boot_id() -> str:
    """The same until the machine starts again; "" where the system has none."""
    if LINUX:
        with contextlib.suppress(OSError):
            return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return output("sysctl", "-n", "kern.bootsessionuuid").strip()


def started_us(pid: int) -> int:
    """When `pid` was started, in microseconds since the epoch, to about 10 ms; 0 when it is gone."""
    found = process(pid)
    if found is None:
        return 0
    if not LINUX:
        return started_us_ps(found.started)
    # Ticks since the machine was started. `btime` in /proc/stat has whole seconds only.
    boot = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return (boot + int(found.started) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")) // 1000


def started_us_ps(started: str) -> int:
    """From `lstart` of `ps`: "Sat Nov 21 08:53:24 2026", local time, whole seconds."""
    try:
        return int(time.mktime(time.strptime(started, "%a %b %d %H:%M:%S %Y"))) * 1_000_000
    except ValueError:
        return 0


# -- watching a process ----------------------------------------------------------------------


class Watch(Protocol):
    """One process, whatever becomes of its pid: readable (select, poll) once it has ended."""

    def fileno(self) -> int: ...

    def wait(self, timeout: float | None = None) -> bool:
        """True when the process has ended, False after `timeout` seconds."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def watch(pid: int) -> Watch:
    """Watch `pid`. Raises ProcessLookupError when there is no such process."""
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(PermissionError, NotImplementedError):
            return PidfdWatch(pid)
    return PollingWatch(pid)


class _Readable:
    """What both ways share: a descriptor that becomes readable at the end."""

    _fd: int

    def fileno(self) -> int:
        return self._fd

    def wait(self, timeout: float | None = None) -> bool:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(None if timeout is None else max(0, int(timeout * 1000))))

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class PidfdWatch(_Readable):
    def __init__(self, pid: int) -> None:
        self._fd = os.pidfd_open(pid)


class PollingWatch(_Readable):
    """Looks every `POLL_EVERY` seconds whether (pid, start time) is still there."""

    def __init__(self, pid: int) -> None:
        found = process(pid)
        if found is None:
            raise ProcessLookupError(f"no process {pid}")
        self._found = found
        self._fd, self._end = os.pipe()
        self._closed = threading.Event()
        threading.Thread(target=self._look, name=f"watch {pid}", daemon=True).start()

    def _look(self) -> None:
        while not self._closed.wait(POLL_EVERY):
            now = process(self._found.pid)
            if now is None or now.started != self._found.started:
                break
        os.close(self._end)

    def close(self) -> None:
        self._closed.set()
        super().close()


# -- this process ----------------------------------------------------------------------------


def die_with_parent(sig: int = signal.SIGKILL) -> None:
    """Have the kernel end this process when the *thread* that started it ends (Linux; else nothing).

    For `Popen(preexec_fn=…)`: the library is loaded before the fork (`prepare_die_with_parent`).
    """
    call = _prctl()
    if call is not None:
        call(1, int(sig), 0, 0, 0)  # PR_SET_PDEATHSIG


@cache
def _prctl():  # type: ignore[no-untyped-def]  # a foreign function has no useful type
    if not LINUX:
        return None
    import ctypes

    return ctypes.CDLL(None, use_errno=True).prctl


def prepare_die_with_parent() -> None:
    """Load what `die_with_parent` needs, outside of a forked child of a threaded process."""
    _prctl()
