"""The nouns of `.zdriver.toml`: what a repository asks for, and its hooks."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

HookName = Literal["post-create", "pre-remove", "post-remove"]
HOOKS: tuple[HookName, ...] = get_args(HookName)

#: The file at the top of a checkout.
FILE = ".zdriver.toml"


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What one `.zdriver.toml` says; one that is not there says nothing."""

    hooks: dict[HookName, tuple[str, ...]] = {}  #: shell commands, run in this order
    lines: dict[HookName, int] = {}  #: where each hook stands in the file, from 1
    copy: tuple[str, ...] = ()  #: globs of untracked files of the trunk
    ports: tuple[str, ...] = ()  #: environment variables that get a port each


class Hook(msgspec.Struct, frozen=True, kw_only=True):
    """One hook as a worktree's checkout has it now."""

    hook: HookName
    worktree: str  #: its name
    file: str  #: absolute path of the `.zdriver.toml`
    line: int  #: where it stands, from 1; 0 when that cannot be seen
    commands: tuple[str, ...]
    text: str  #: the commands, one below the other: to be shown
    digest: str  #: names these very commands; what is approved
    approved: bool
    changed: bool = False  #: not approved, but another text of this hook was
    reason: str = ""  #: why it is asked about apart from others, in words


class HookRun(msgspec.Struct, frozen=True, kw_only=True):
    """Ready to be run by `zdriver.hooks.running.run`: nothing of it is read again."""

    hook: HookName
    worktree: str
    commands: tuple[str, ...]
    text: str
    digest: str
    approved: bool
    changed: bool
    cwd: str  #: absolute
    environment: dict[str, str]  #: added to the caller's own
    reason: str = ""
