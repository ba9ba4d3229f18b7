"""`zdriver attach` as the plugin writes it, without anything but a socket.

It stands between opening Zellij and seeing one's panes again, so it skips even the fork
server. What is not exactly the plugin's command line, and what the daemon does not
answer with a result, takes the ordinary way (`zdriver.cli.attach`), which starts a daemon and
explains errors.
"""

import os

from zdriver.core.runtime import runtime_folder

_WORDS = ("attach", "--zellij-session", "--zellij-pid", "--client", "--cwd")

#: Seconds the daemon has to answer.
_TIMEOUT = 5.0


def attached(argv: list[str]) -> bool:
    """Whether the daemon has taken the request in `argv` (without the program's name)."""
    if len(argv) != 9 or (argv[0], *argv[1::2]) != _WORDS:
        return False
    session, pid, client, cwd = argv[2::2]
    # Zellij keeps its own environment right when a session is renamed, and does not tell the plugin.
    session = os.environ.get("ZELLIJ_SESSION_NAME") or session
    if not (pid.isdecimal() and client.isdecimal()):
        return False
    try:
        from _json import encode_basestring_ascii as quoted
    except ImportError:
        return False
    line = (
        '{"jsonrpc":"2.0","id":1,"method":"bridge.attach","params":{'
        f'"zellij_session":{quoted(session)},"zellij_pid":{int(pid)},"client":{int(client)},"cwd":{quoted(cwd)}'
        "}}\n"
    )
    try:
        answer = _ask(runtime_folder(), line.encode())
    except OSError:
        return False
    return answer.startswith(b'{"jsonrpc":"2.0"') and b'"result":{' in answer and b'"error":' not in answer


def _ask(folder: str, line: bytes) -> bytes:
    found = os.lstat(folder)
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        return b""  # somebody else could have put the socket there
    import _socket

    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    sock.settimeout(_TIMEOUT)
    sock.connect(folder + "/daemon.sock")
    sock.sendall(line)
    answer = b""
    while not answer.endswith(b"\n"):
        data = sock.recv(4096)
        if not data:
            break
        answer += data
    return answer
