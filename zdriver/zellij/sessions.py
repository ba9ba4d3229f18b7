"""What lies on disk about Zellij sessions. Never asks Zellij.

`zellij list-sessions` run while a session starts left it unreachable (it connects to
every socket, and a refused connection makes Zellij delete the socket), so zdriver
looks for files instead. Paths: zellij-utils 0.45, `consts.rs`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from zdriver.core import platform

_CONTRACT = "contract_version_1"


class Serialized(msgspec.Struct, frozen=True, kw_only=True):
    """What Zellij keeps to resurrect a session: written every 60 s by default."""

    path: Path
    written_us: int  #: microseconds since the epoch


def _cache_dir(env: Mapping[str, str]) -> Path:
    named = env.get("XDG_CACHE_HOME", "")
    base = Path(named) if named.startswith("/") else Path(env.get("HOME", "/")) / ".cache"
    return base / "zellij"


def serialized(env: Mapping[str, str], session: str) -> Serialized | None:
    """The layout that `zellij attach SESSION` would resurrect, if there is one."""
    path = _cache_dir(env) / _CONTRACT / "session_info" / session / "session-layout.kdl"
    try:
        found = path.stat()
    except OSError:
        return None
    return Serialized(path=path, written_us=found.st_mtime_ns // 1000)


def socket_path(env: Mapping[str, str], session: str) -> Path:
    named = env.get("ZELLIJ_SOCKET_DIR", "")
    runtime = env.get("XDG_RUNTIME_DIR", "")
    if named:
        base = Path(named)
    elif runtime.startswith("/"):
        base = Path(runtime) / "zellij"
    else:
        base = Path(env.get("TMPDIR") or "/tmp") / f"zellij-{os.getuid()}"
    return base / _CONTRACT / session


def ended_by_itself(env: Mapping[str, str], session: str) -> bool:
    """Whether a server that is gone was closed by its user: then it took its socket along.

    Seen with 0.45.1: Ctrl-q removes the socket; SIGKILL and SIGTERM leave it until the
    next Zellij finds nobody behind it.
    """
    return not socket_path(env, session).exists()


#: Options of `zellij` that name a layout (zellij-utils 0.45, `cli.rs`).
_LAYOUT_OPTIONS = ("-l", "-n", "--layout", "--new-session-with-layout", "--layout-string")
#: A client starts its server within this time.
_START_WINDOW_US = 3_000_000


def layout_named(server_pid: int) -> bool:
    """Whether the client that started this server was given a layout on its command line."""
    started = platform.started_us(server_pid)
    for pid in platform.pids():
        if pid == server_pid:
            continue
        argv = platform.argv(pid)
        if not argv or "zellij" not in Path(argv[0]).name or "--server" in argv:
            continue
        if not any(arg.split("=")[0] in _LAYOUT_OPTIONS for arg in argv[1:]):
            continue
        if 0 <= started - platform.started_us(pid) <= _START_WINDOW_US:
            return True
    return False
