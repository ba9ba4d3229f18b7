"""What lies on disk about Zellij sessions. Never asks Zellij.

`zellij list-sessions` run while a session starts left it unreachable (it connects to
every socket, and a refused connection makes Zellij delete the socket), so zdriver
looks for files instead. Paths: zellij-utils 0.45, `consts.rs`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

import msgspec

from zdriver.core import platform
from zdriver.core.runtime import SOCKET_PATH_MAX
from zdriver.zellij.spawn import Server, passed_environment

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


def layout_named(server: Server) -> bool:
    """Whether the client that started this server was given a layout on its command line.

    That is a `zellij` with the server's own environment, started just before it.
    """
    started = platform.started_us(server.pid)
    for pid in platform.pids():
        argv = platform.argv(pid)
        if pid == server.pid or not argv or "zellij" not in Path(argv[0]).name or "--server" in argv:
            continue
        if not any(arg.split("=")[0] in _LAYOUT_OPTIONS for arg in argv[1:]):
            continue
        near = 0 <= started - platform.started_us(pid) <= _START_WINDOW_US
        if near and passed_environment(platform.environ(pid)) == server.env:
            return True
    return False


def isolated(server: Server, folder: Path) -> Server:
    """`server`, reached through a folder of sockets in which there is no other.

    Each `zellij` command connects to *every* socket it finds and waits for an answer, so one
    session that is stuck would hold up all; and it deletes a socket that refuses. A second
    name (hard link) of the one socket, in `folder`, keeps both from happening, and stays
    right when the session is renamed. Removed by `leave`. Where there can be no such link,
    `server` comes back as it is.
    """
    link = folder / _CONTRACT / server.session
    if len(os.fsencode(link)) > SOCKET_PATH_MAX:
        return server
    try:
        link.parent.mkdir(parents=True, mode=0o700)
        link.hardlink_to(socket_path(server.env, server.session))
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        return server
    return msgspec.structs.replace(server, sockets=str(folder))


def name_now(server: Server) -> str:
    """What the session of an `isolated` server is called now.

    `zellij action rename-session` and the session manager move the socket, and tell plugins
    without a pane nothing.
    """
    if not server.sockets:
        return server.session
    public = socket_path(server.env, server.session)
    try:
        ours = (Path(server.sockets) / _CONTRACT / server.session).stat().st_ino
        with contextlib.suppress(FileNotFoundError):
            if public.stat().st_ino == ours:
                return server.session
        with os.scandir(public.parent) as found:
            return next((each.name for each in found if each.inode() == ours), server.session)
    except OSError:
        return server.session


def renamed(server: Server, session: str) -> Server:
    """`server` under the new name of its session."""
    if server.sockets:
        folder = Path(server.sockets) / _CONTRACT
        try:
            (folder / server.session).rename(folder / session)
        except OSError:
            leave(server)
            server = msgspec.structs.replace(server, sockets="")
    return msgspec.structs.replace(server, session=session)


def first_name(server: Server) -> str:
    """What the session was called when its server was started; "" where that cannot be seen.

    Shells of that time have it in `ZELLIJ_SESSION_NAME` for as long as they live.
    """
    argv = platform.argv(server.pid)
    at = argv.index("--server") + 1 if "--server" in argv else len(argv)
    return Path(argv[at]).name if at < len(argv) else ""


def leave(server: Server) -> None:
    """Remove what `isolated` made."""
    if server.sockets:
        shutil.rmtree(server.sockets, ignore_errors=True)


def clear(parent: Path) -> None:
    """Remove every folder that `isolated` made in `parent`, and end the clients still in one.

    One is left when daemon and Zellij are killed together: it waits for ever.
    """
    if not parent.is_dir():
        return
    for pid in platform.pids():
        argv = platform.argv(pid)
        if not argv or "zellij" not in Path(argv[0]).name or "pipe" not in argv:
            continue
        if Path(platform.environ(pid).get("ZELLIJ_SOCKET_DIR", "/")).parent == parent:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    shutil.rmtree(parent, ignore_errors=True)
