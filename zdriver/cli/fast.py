"""The `zdriver` program's entry point. It imports next to nothing.

Importing click, msgspec and friends takes several times as long as Python's own start, so
the command is handed to the daemon's fork server (`zdriver.daemon.forkserver` has the
protocol), which runs it on this terminal, in this folder, with this environment. With no
daemon, another build, or `ZDRIVER_NO_FORK=1` the same command runs right here.
"""

import os
import sys

from zdriver.core.runtime import runtime_folder

#: Seconds in which the fork server has to accept; after that the command runs here.
HANDSHAKE = 2.0

#: Commands that speak about the daemon, need the terminal for long, or start a program on it.
IN_PLACE = {"daemon", "demo", "--edit", "edit", "--hold", "--exec", "tail"}

#: Words of everyday commands that run no hook.
HOOKLESS = {"intent", "milestone", "history", "snapshot", "claim", "claims", "release", "sync", "go"}
HOOKLESS |= {"events", "list", "show", "path", "env", "types", "--no-hooks"}

EXIT_INTERRUPTED = 130
EXIT_UNAVAILABLE = 5


def main() -> None:
    """Run the command line and end the process."""
    if sys.argv[1:2] == ["attach"]:
        from zdriver.cli.attach_fast import attached

        if attached(sys.argv[1:]):
            os._exit(0)
    if sys.argv[1:3] == ["setup", "shell"] and sys.argv[3:] in (["bash"], ["zsh"], ["fish"]):
        _print_function(sys.argv[3])
    try:
        ending = _elsewhere(sys.argv)
    except KeyboardInterrupt:
        os._exit(EXIT_INTERRUPTED)
    if ending is None:
        from zdriver.cli.main import run

        sys.exit(run(sys.argv[1:]))
    code, number = ending
    if number:  # die as the command did: a shell tells exit codes from signals
        import _signal  # type: ignore[import-not-found]  # `signal` without its enums

        if number != _signal.SIGKILL:
            _signal.signal(number, _signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(code)


def _print_function(shell: str) -> None:
    """What every new shell of the user waits for: without asking a daemon, or importing a thing.

    Ends the process; where something is in the way, the command itself says what.
    """
    data = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/data/shell/zdriver."
    try:
        fd = os.open(data + shell, os.O_RDONLY | os.O_CLOEXEC)
        text = os.read(fd, 1 << 16)
        if os.write(1, text) == len(text):
            os._exit(0)
    except OSError:
        pass


def _elsewhere(argv: list[str]) -> tuple[int, int] | None:
    """(exit code, signal) of the command run by the fork server; None: it has to run here."""
    if os.environ.get("ZDRIVER_NO_FORK") or not _ordinary():
        return None
    if not IN_PLACE.isdisjoint(word.partition("=")[0] for word in argv):  # --exec=CMD is --exec
        return None
    if _hooked(argv):
        return None
    folder = runtime_folder()
    try:
        found = os.lstat(folder)
        if found.st_uid != os.getuid() or found.st_mode & 0o077:
            return None  # somebody else could have put the socket there
        import _socket

        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        if sock.fileno() < 3:
            return None  # one of the standard descriptors is closed, and must stay so
        sock.settimeout(HANDSHAKE)
        sock.connect(folder + "/fork.sock")
        from zdriver.core.build import build_id

        ours = b"zd1 %b\n" % build_id().encode()  # while the server wakes up
        if sock.recv(64) != ours:
            return None
        sock.settimeout(None)
        _send_request(sock, argv)
    except OSError:
        return None
    return _follow(sock)


def _hooked(argv: list[str]) -> bool:
    """Whether hooks of .zdriver.toml may run: `sudo` and `ssh` in them ask on /dev/tty, which only
    a process of this terminal's session has.

    A hook that only another branch has is missed: it runs all the same, but without a /dev/tty.
    """
    if len(argv) < 2 or not HOOKLESS.isdisjoint(argv):
        return False
    try:
        folder = os.getcwd()
        while True:
            try:
                fd = os.open(folder + "/.zdriver.toml", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except FileNotFoundError:
                if folder == "/":
                    return False
                folder = os.path.dirname(folder)
                continue
            try:
                return b"hooks" in os.read(fd, 1 << 18)
            finally:
                os.close(fd)
    except OSError:
        return False


def _ordinary() -> bool:
    """Whether a process that is not of this terminal's session can stand in for us."""
    environ = os.environ
    locale = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or "C"
    if locale not in ("C", "POSIX") and "utf" not in locale.lower():
        return False  # the fork server's children write UTF-8
    if environ.get("PYTHONIOENCODING") or environ.get("PYTHONUTF8"):
        return False
    try:
        return os.tcgetpgrp(0) == os.getpgrp()  # in the background, reading must stop us
    except OSError:
        return True  # no terminal


def _send_request(sock: "_socket.socket", argv: list[str]) -> None:
    import _signal
    import _socket

    umask = os.umask(0o077)
    os.umask(umask)
    environment = [key + b"=" + value for key, value in os.environb.items()]
    ignored = _mask(n for n in range(1, _signal.NSIG) if _signal.getsignal(n) == _signal.SIG_IGN)
    blocked = _mask(_signal.pthread_sigmask(_signal.SIG_BLOCK, ()))
    head = [f"{umask:o}", ignored, blocked, str(len(argv)), *argv]
    payload = b"\0".join([*map(os.fsencode, head), *environment])
    folder = os.open(".", getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY)
    fds = b"".join(fd.to_bytes(4, sys.byteorder) for fd in (0, 1, 2, folder))
    message = b"%08x\n" % len(payload) + payload
    sent = sock.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fds)])
    os.close(folder)
    if sent < len(message):
        sock.sendall(message[sent:])


def _mask(signals: "Iterable[int]") -> str:
    """In hexadecimal; bit N stands for signal N."""
    bits = 0
    for number in signals:
        bits |= 1 << number
    return f"{bits:x}"


def _follow(sock: "_socket.socket") -> tuple[int, int] | None:
    """Relay signals, which are meant for the command, until it ends."""
    import _signal

    before = {}

    def relay(number: int, _frame: object) -> None:
        try:
            sock.send(bytes((number,)))
        except OSError:
            return
        if number == _signal.SIGTSTP:
            os.kill(os.getpid(), _signal.SIGSTOP)

    for name in ("SIGINT", "SIGTERM", "SIGTSTP", "SIGCONT", "SIGWINCH", "SIGHUP", "SIGQUIT"):
        number = getattr(_signal, name)
        if _signal.getsignal(number) != _signal.SIG_IGN:  # as `nohup` and `&` in scripts leave it
            before[number] = _signal.signal(number, relay)
    ending = _ending(sock)
    if ending is None:
        for number, handler in before.items():
            _signal.signal(number, handler)
    return ending


def _ending(sock: "_socket.socket") -> tuple[int, int] | None:
    """(exit code, signal) of the command; None when the server did not begin it."""
    said = b""
    try:
        while not said.endswith(b"\n"):
            data = sock.recv(16)
            if not data:
                break
            said += data
    except OSError:
        pass
    kind, number = said[:1], said[1:].partition(b"\n")[0]
    if kind == b"x":
        return int(number), 0
    if kind == b"s":
        return 128 + int(number), int(number)
    if kind == b"n":
        return None
    os.write(2, b"error: the command was ended together with zdriver's fork server\n")
    os.write(2, b"hint:  look whether it was done, else give it again\n")
    return EXIT_UNAVAILABLE, 0


TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Iterable
