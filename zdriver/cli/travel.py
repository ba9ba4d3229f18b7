"""Changing the caller's directory, which no program can do for its shell.

The function that `zdriver setup shell` prints names an empty private file in `$ZDRIVER_CD_FILE`,
for one command only. `go_to` writes one path into it, as raw bytes and nothing else, and the
function changes into what it reads. It is never code. Without the function the path is printed.
"""

from __future__ import annotations

import os
import stat
import sys

import click

from zdriver.cli.output import note, printable, settings, yellow
from zdriver.core.errors import NotFound, Unavailable, ZdriverError

CD_FILE = "ZDRIVER_CD_FILE"
#: The folder from which the shell's function last changed directory: for `zdriver go -`.
PREVIOUS = "ZDRIVER_PREVIOUS"

exec_option = click.option(
    "--exec",
    "exec_",
    metavar="CMD",
    default="",
    help="Then run CMD there, by your shell, with its ports; exit code as CMD's.",
)

_given: dict[str, str] = {}


def prepare() -> None:
    """Take what the shell's function says out of the environment.

    It is meant for this command alone: not for hooks, `--exec`, editors or the daemon that it starts.
    """
    for name in (CD_FILE, PREVIOUS):
        _given[name] = os.environ.pop(name, "")


def previous() -> str:
    """The folder that this shell was in before zdriver last changed it; "" when there is none."""
    return _given.get(PREVIOUS, "")


def go_to(path: str, *, run: str = "") -> int | None:
    """Let the caller's shell change into `path`, and run the command line `run` there (`--exec`).

    The path is printed on stdout where the shell has no function, or where stdout is no terminal:
    `cd "$(zdriver go x)"` works with and without it. So whatever else a command that travels has to
    tell a person belongs on stderr. Nothing is printed with `--json` (the envelope has the path),
    nor with `run`: stdout is that command's.

    Returns the exit code of `run`, None without one. Raises NotFound for a folder that is gone.
    """
    told = _tell_shell(path)
    if run:
        return _run(run, path)
    if not settings().json:
        to_person = sys.stdout.isatty()
        if not (told and to_person):
            show(path)
        if not told and to_person and sys.stderr.isatty():
            shell = os.path.basename(os.environ.get("SHELL", ""))  # noqa: PTH119 as text
            note(f"to change into it: {how(shell)}; for good: zdriver setup shell --install")
    return None


def show(path: str) -> None:
    """The path on stdout, to the byte; on a terminal what it cannot show is spelled out."""
    if sys.stdout.isatty():
        click.echo(printable(path))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(path) + b"\n")
    sys.stdout.buffer.flush()


def _tell_shell(path: str) -> bool:
    """Write `path` into the shell's file; whether the shell will know.

    The file is not created: a shell that gave up on this command has removed it.
    """
    file = _given.get(CD_FILE, "")
    if not file.startswith("/"):
        return False
    data = os.fsencode(path)
    try:
        fd = os.open(file, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            return False
        os.ftruncate(fd, 0)
        if os.write(fd, data) == len(data):
            return True
        os.ftruncate(fd, 0)  # half a path is another path
    except OSError:
        pass
    finally:
        os.close(fd)
    return False


def how(shell: str) -> str:
    """What brings the function into a shell that is open."""
    if shell == "fish":
        return "zdriver setup shell fish | source"
    return f'eval "$(zdriver setup shell {shell if shell == "zsh" else "bash"})"'


def _run(command: str, path: str) -> int:
    from zdriver.hooks.running import foreground

    shell = os.environ.get("SHELL", "")
    if not (shell.startswith("/") and os.access(shell, os.X_OK)):
        shell = "/bin/sh"
    environ = {**os.environ, **_leased(path), "PWD": path}
    sys.stdout.flush()
    try:
        return foreground([shell, "-c", command], cwd=path, environ=environ)
    except OSError as error:
        if not os.path.isdir(path):  # noqa: PTH112 the path is text, as git gave it
            raise NotFound(f"{path} is gone", hint="`zdriver worktree repair` settles it") from error
        raise Unavailable(f"{shell} cannot be run: {error.strerror}", hint="see $SHELL") from error


def _leased(path: str) -> dict[str, str]:
    """The worktree's own ports and name, as its hooks have them."""
    from zdriver.cli.services import services

    try:
        with services() as driver:
            return driver.worktrees.environment(cwd=path)
    except ZdriverError as error:
        note(yellow(f"! its environment is not known: {printable(error.message)}"))
        return {}
