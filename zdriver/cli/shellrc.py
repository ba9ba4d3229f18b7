"""The one line in a shell's startup file that brings zdriver's function in: plans, no writing."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal, get_args

import msgspec

from zdriver.core.errors import Unavailable
from zdriver.core.runtime import home_folder
from zdriver.zellij import files
from zdriver.zellij.setup import Change

Shell = Literal["bash", "zsh", "fish"]
SHELLS: tuple[Shell, ...] = get_args(Shell)

#: Ends the lines that are ours, by which they are found again.
_MARK = "# added by `zdriver setup shell`"
_LINES: dict[Shell, str] = {
    "bash": 'if command -v zdriver >/dev/null; then eval "$(zdriver setup shell bash)"; fi',
    "zsh": 'if command -v zdriver >/dev/null; then eval "$(zdriver setup shell zsh)"; fi',
    "fish": "if status is-interactive; and command -q zdriver; zdriver setup shell fish | source; end",
}
#: A line that somebody put in by hand, not a comment; `setup shell` alone guesses the shell.
_BY_HAND = re.compile(rb"^[^#\n]*\bzdriver setup shell\b", re.MULTILINE)


def line(shell: Shell) -> str:
    return f"{_LINES[shell]}  {_MARK}"


def file(shell: Shell) -> Path:
    """Where interactive shells of this user begin. Raises Unavailable without a home."""
    home = home_folder()
    if not home:
        raise Unavailable("there is no home folder", hint="set HOME")
    if shell == "bash":
        return Path(home, ".bashrc")
    if shell == "zsh":
        return Path(os.environ.get("ZDOTDIR") or home, ".zshrc")
    config = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(config) if config.startswith("/") else Path(home, ".config")
    return base / "fish" / "conf.d" / "zdriver.fish"


def plan_install(shell: Shell) -> Change:
    """Our line at the file's end, unless one is there. Raises InvalidInput for an unreadable file."""
    path = file(shell)
    before = files.read_bytes(path)
    return _checked(Change(kind="shell", path=path, before=before, after=installed(before, shell)))


def plan_undo(shell: Shell) -> Change:
    """Without our line; what was put in by hand stays. A file that held nothing else goes.

    Raises InvalidInput for an unreadable file.
    """
    path = file(shell)
    before = files.read_bytes(path)
    after = before
    if before and (left := removed(before)) != before:
        after = left or None
    return _checked(Change(kind="shell", path=path, before=before, after=after))


def all_undone() -> tuple[Change, ...]:
    """What is to be taken out of the startup files of all shells."""
    found = (plan_undo(shell) for shell in SHELLS)
    return tuple(change for change in found if change.action != "unchanged")


def installed(before: bytes | None, shell: Shell) -> bytes:
    content = before or b""
    if has_line(content):
        return content
    between = b"" if not content or content.endswith(b"\n") else b"\n"
    return content + between + line(shell).encode() + b"\n"


def removed(content: bytes) -> bytes:
    mark = _MARK.encode()
    kept = [each for each in content.splitlines(keepends=True) if not each.rstrip().endswith(mark)]
    return b"".join(kept)


def has_line(content: bytes) -> bool:
    return _BY_HAND.search(content) is not None


def _checked(change: Change) -> Change:
    if change.action == "unchanged" or files.is_writable(change.path):
        return change
    return msgspec.structs.replace(change, blocked="it is read-only, or its folder is")
