"""Where the sockets lie, as text and with nothing but `os`.

The command's fast path imports this before it knows whether Python's library is needed
at all; `paths` gives the same places as `Path`s.
"""

import os

#: `sun_path` is 108 bytes on Linux and 104 on macOS, with the closing NUL.
SOCKET_PATH_MAX = 103

_LONGEST_SOCKET = "daemon.sock"


def home_folder() -> str:
    """`$HOME`, else what the system's list of users says; "" when neither names one.

    An empty or relative HOME is none: the daemon stands in another folder than its caller.
    """
    home = os.environ.get("HOME", "")
    if not os.path.isabs(home):
        try:
            import pwd

            home = pwd.getpwuid(os.getuid()).pw_dir
        except (ImportError, KeyError):
            return ""
    return home if os.path.isabs(home) else ""


def data_folder() -> str:
    """Without a home this is no folder to use: `paths.data_dir` refuses it."""
    value = os.environ.get("XDG_DATA_HOME", "")
    # The specification says to ignore relative values.
    base = value if os.path.isabs(value) else home_folder() + "/.local/share"
    return base.rstrip("/") + "/zdriver"


def _key(text: str) -> str:
    """FNV-1a, 32 bits: a name, not a secret, and no module to load."""
    value = 0x811C9DC5
    for byte in os.fsencode(text):
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return f"{value:08x}"


def _fits(folder: str) -> bool:
    return len(os.fsencode(folder)) + 1 + len(_LONGEST_SOCKET) <= SOCKET_PATH_MAX


def runtime_folder() -> str:
    """The folder of sockets and locks: one per user and data folder. Not created here.

    `$XDG_RUNTIME_DIR/zdriver-KEY`, or, where that is missing or too long for a socket,
    a folder of the user's own in the temporary directory. KEY names the data folder,
    so that two homes of one user never share a daemon.
    """
    key = _key(data_folder())
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(base) and os.path.isdir(base):
        chosen = f"{base.rstrip('/')}/zdriver-{key}"
        if _fits(chosen):
            return chosen
    name = f"zdriver-{os.getuid()}-{key}"
    base = os.environ.get("TMPDIR", "")
    if os.path.isabs(base) and os.path.isdir(base):
        chosen = f"{base.rstrip('/')}/{name}"
        if _fits(chosen):
            return chosen
    return f"/tmp/{name}"
