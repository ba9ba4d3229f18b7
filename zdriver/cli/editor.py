"""The user's editor on a temporary file, without a shell in between."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from zdriver.cli.output import on_terminal
from zdriver.core.errors import InvalidInput, Unavailable

_FALLBACKS = ("sensible-editor", "nano", "vim", "vi")


def editor_command() -> list[str]:
    """$VISUAL, else $EDITOR, split as a shell would; else the first of the usual ones on PATH."""
    from shutil import which

    for variable in ("VISUAL", "EDITOR"):
        value = os.environ.get(variable, "").strip()
        if value:
            try:
                return shlex.split(value)
            except ValueError as error:
                raise InvalidInput(
                    f"${variable} cannot be read: {error}", hint=f"set {variable} anew"
                ) from error
    for name in _FALLBACKS:
        if path := which(name):
            return [path]
    raise Unavailable("no editor was found", hint="set EDITOR to the one you use")


def need_terminal(instead: str) -> None:
    """Raises InvalidInput without one: before anything is asked or started for an editor.

    instead  what to do where there is none
    """
    if not on_terminal():
        raise InvalidInput("an editor needs a terminal", hint=instead)


def run_editor(path: Path) -> None:
    """Open `path` and wait. Raises Unavailable when the editor fails."""
    command = editor_command()
    try:
        done = subprocess.run([*command, str(path)], check=False)
    except OSError as error:
        raise Unavailable(f"{command[0]} cannot be started: {error.strerror}", hint="set EDITOR") from error
    if done.returncode:
        raise Unavailable(f"{command[0]} ended with code {done.returncode}", hint="nothing was changed")


def edit_text(text: str) -> str:
    """Let the user edit `text`; lines that begin with `#` are left out of the result."""
    with tempfile.TemporaryDirectory(prefix="zdriver-") as folder:
        path = Path(folder) / "INTENT.txt"
        path.write_text(f"{text}\n# One sentence: what is this for? Lines with # are left out.\n", "utf-8")
        run_editor(path)
        lines = path.read_text("utf-8", errors="replace").splitlines()
    return " ".join(line.strip() for line in lines if not line.startswith("#")).strip()
