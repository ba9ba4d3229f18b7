"""`.zdriver.toml`: its text → what it asks for. Pure."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, cast

from zdriver.core.errors import InvalidInput
from zdriver.core.tomllines import line_of
from zdriver.hooks.model import FILE, HOOKS, HookName, Wishes

#: Characters of one hook, all its commands together. It is read by a person before it is approved.
TEXT_MAX = 20_000
COMMANDS_MAX = 100
COPY_MAX = 200
PORTS_MAX = 50

_SETTINGS = ("copy", "ports", *(f"hooks.{hook}" for hook in HOOKS))
_TEXTS = 'text in quotes, or a list of texts: ["npm ci", "make db"]'
_GLOBS = 'a list of paths below the trunk, with * and **: ["local.env", "certs/**"]'
_PORTS = 'a list of environment variables, each once: ["WEB_PORT"]'

_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,80}", re.ASCII)
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}", re.ASCII)
#: A port number in one of these would break the programs that are started with it.
_TAKEN = re.compile(
    r"(PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|IFS|ENV|CDPATH|TERM|TMPDIR|LANG|LANGUAGE|TZ|EDITOR|VISUAL|PAGER"
    r"|DISPLAY|MAIL|PS\d|_)|(LD|DYLD|LC|XDG|GIT|GH|SSH|BASH|ZSH|PYTHON|ZELLIJ|ZDRIVER)(_.*|[A-Z]*)"
)
#: Able to make a text read otherwise than it runs (Unicode's bidirectional controls).
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def parse(text: str, where: str = FILE) -> Wishes:
    """Raises InvalidInput: the file, the line, what is wrong there and what is allowed."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(
            f"{where} is not TOML: {error}", hint="mend that line; docs/zdriver-toml.md shows the file"
        ) from error
    hooks: dict[HookName, tuple[str, ...]] = {}
    lines: dict[HookName, int] = {}
    copy: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    for name, value in _flat(tree):
        line = line_of(text, name) or 0
        place = f"{where}, line {line}" if line else where
        if name == "copy":
            copy = _globs(value, place)
        elif name == "ports":
            ports = _ports(value, place)
        elif name in _SETTINGS:
            hook = cast(HookName, name.partition(".")[2])
            hooks[hook], lines[hook] = _commands(name, value, place), line
        else:
            shown = name if _PLAIN.fullmatch(name) else json.dumps(name)[:80]
            raise InvalidInput(f"{place}: {shown} is no setting", hint=_near(name))
    return Wishes(hooks=hooks, lines=lines, copy=copy, ports=ports)


def digest(commands: tuple[str, ...], commit: str = "") -> str:
    """Names these very commands in this order; with `commit`, at that commit only."""
    return asked(*commands, "at", commit) if commit else asked(*commands)


def asked(*parts: str) -> str:
    """SHA-256 of texts, in which no two lists of them are the same."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def hook_name(given: str) -> HookName:
    """Raises InvalidInput."""
    if given not in HOOKS:
        raise InvalidInput(f"there is no hook {given!r}", hint=f"there are: {', '.join(HOOKS)}")
    return given


# -- inside --------------------------------------------------------------------------------


def _flat(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if key == "hooks" and isinstance(value, dict):
            yield from ((f"hooks.{hook}", commands) for hook, commands in value.items())
        else:
            yield key, value


def _near(name: str) -> str:
    alone = name.removeprefix("hooks.")
    if alone in ("copy", "ports"):
        return f"put {alone} above the line [hooks]"
    if f"hooks.{name}" in _SETTINGS:
        return f"put {name} below a line [hooks]"
    close = get_close_matches(name, _SETTINGS, n=1)
    return f"did you mean {close[0]}?" if close else f"there are: {', '.join(_SETTINGS)}"


def _refused(place: str, name: str, value: object, allowed: str, hint: str = "") -> InvalidInput:
    shown = json.dumps(value, default=str, ensure_ascii=False)
    shown = shown if len(shown) <= 80 else shown[:77] + "…"
    return InvalidInput(f"{place}: {name} is {shown}; allowed: {allowed}", hint=hint or "mend it there")


def _texts(name: str, value: object, place: str, allowed: str) -> tuple[str, ...]:
    """A list of texts that can be shown as they are."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _refused(place, name, value, allowed)
    texts = tuple(cast(list[str], value))
    for one in texts:
        if not one.strip():
            raise _refused(place, name, value, allowed, "one of them is empty: take it out")
        for character in one:
            if character in _BIDI or (unicodedata.category(character) == "Cc" and character not in "\n\t"):
                raise InvalidInput(
                    f"{place}: {name} holds the character U+{ord(character):04X}, which hides what it says",
                    hint="take it out",
                )
    return texts


def _commands(name: str, value: object, place: str) -> tuple[str, ...]:
    commands = _texts(name, [value] if isinstance(value, str) else value, place, _TEXTS)
    if not commands:
        raise _refused(place, name, value, _TEXTS, "take the line out for none")
    if len(commands) > COMMANDS_MAX or sum(map(len, commands)) > TEXT_MAX:
        raise InvalidInput(
            f"{place}: {name} is too long; allowed: {COMMANDS_MAX} commands, {TEXT_MAX:,} characters",
            hint="put it into a script of the repository, and call that",
        )
    return commands


def _globs(value: object, place: str) -> tuple[str, ...]:
    globs = _texts("copy", value, place, _GLOBS)
    if len(globs) > COPY_MAX:
        raise InvalidInput(
            f"{place}: copy has {len(globs)} entries; allowed: {COPY_MAX}", hint="use * and **"
        )
    for glob in globs:
        if glob.startswith("/") or {"..", ".git"} & set(glob.split("/")) or "\n" in glob:
            raise _refused(place, "copy", glob, _GLOBS, "name it as the trunk has it, without .. and .git")
    return globs


def _ports(value: object, place: str) -> tuple[str, ...]:
    names = _texts("ports", value, place, _PORTS)
    if len(names) > PORTS_MAX:
        raise InvalidInput(f"{place}: ports has {len(names)} entries; allowed: {PORTS_MAX}", hint="use fewer")
    for name in names:
        if not _VARIABLE.fullmatch(name):
            raise _refused(place, "ports", name, _PORTS, "use capital letters, digits and _")
        if _TAKEN.fullmatch(name):
            raise _refused(place, "ports", name, _PORTS, "that variable means something else; take another")
        if names.count(name) > 1:
            raise _refused(place, "ports", list(names), _PORTS, f"{name} is there twice")
    return names
