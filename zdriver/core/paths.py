"""Where zdriver's files lie (XDG base directories), with the standard library only."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from zdriver.core.errors import StorageFull, Unavailable
from zdriver.core.runtime import home_folder, runtime_folder


def home() -> Path:
    """The user's home folder. Raises Unavailable when there is none."""
    found = home_folder()
    if not found:
        raise Unavailable("no home folder is known", hint="set HOME to a folder of yours")
    return Path(found)


def _xdg(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    # The specification says to ignore relative values.
    return Path(value) if value.startswith("/") else home() / default


def config_dir() -> Path:
    return _xdg("XDG_CONFIG_HOME", ".config") / "zdriver"


def config_file() -> Path:
    """`config.toml`; `$ZDRIVER_CONFIG` names another one."""
    named = os.environ.get("ZDRIVER_CONFIG")
    return Path(named) if named else config_dir() / "config.toml"


def data_dir() -> Path:
    """What must not be lost: the store, its backups, the plugin."""
    return _xdg("XDG_DATA_HOME", ".local/share") / "zdriver"


def state_dir() -> Path:
    """What may be lost without harm: the log, the host's id."""
    return _xdg("XDG_STATE_HOME", ".local/state") / "zdriver"


def database() -> Path:
    return data_dir() / "zdriver.db"


def plugin_wasm() -> Path:
    """Where `setup zellij` puts the plugin: Zellij grants permissions per path."""
    return data_dir() / "zdriver.wasm"


def log_file() -> Path:
    return state_dir() / "daemon.log"


def runtime_dir() -> Path:
    """The folder of sockets and locks: one per user and data folder. Not created here."""
    return Path(runtime_folder())


def daemon_socket() -> Path:
    return runtime_dir() / "daemon.sock"


def fork_socket() -> Path:
    return runtime_dir() / "fork.sock"


def daemon_lock() -> Path:
    return runtime_dir() / "daemon.lock"


def unwritable(path: Path, error: OSError, *, instead: str = "") -> Unavailable:
    """Why `path` cannot be written, with what helps against that.

    instead  another way out than mending `path`, as ", or set …"
    """
    folder = path if path.is_dir() else path.parent
    message = f"cannot write {path}: {error.strerror}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(message, hint=f"make room on the disk of {folder}{instead}")
    if error.errno == errno.EROFS:
        return Unavailable(message, hint=f"mount its disk with the right to write{instead}")
    if path.is_file():
        return Unavailable(message, hint=f"`chmod u+rw {path}`, or have its owner do it{instead}")
    return Unavailable(message, hint=f"give yourself the right to write in {folder}{instead}")


def make_folders(path: Path) -> None:
    """Make the folder `path` and what is missing above it, each 0700 whatever the umask is.

    As the XDG specification wants it, and: who starts the daemon with a umask of 000 must not
    leave a `~/.local` in which everybody may put another store. Raises OSError.
    """
    if path.is_dir():
        return
    make_folders(path.parent)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        path.chmod(0o700)


def private_dir(path: Path) -> Path:
    """Make `path` with mode 0700, or check that it is ours alone.

    Raises Unavailable when it is a link, no folder, or somebody else's.
    """
    make_folders(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise Unavailable(
            f"{path} is not a folder of yours",
            hint=f"remove {path}, or set XDG_RUNTIME_DIR to a folder that only you can write",
        )
    if stat.S_IMODE(found.st_mode) != 0o700:
        path.chmod(0o700)
    return path
