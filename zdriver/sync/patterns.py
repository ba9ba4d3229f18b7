"""Which files under sync/ are linked, copied or ignored: `sync/zdriver.toml`, parsed. Pure.

    [paths]
    "config/*.json" = "copy"
    "*.pem" = "ignore"
    "editor/" = "link"

Patterns are those of .gitignore: relative to sync/global and sync/repo; one without a slash in it
matches at any depth; `*` and `?` stop at a slash, `**` does not; the last one that matches a path,
or a folder above it, counts. One with a slash at its end means folders, and with "link" the folder
as a whole.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from typing import get_args

import msgspec

from zdriver.core.errors import InvalidInput
from zdriver.sync.model import Mode

_MODES = get_args(Mode)
_AT_LINE = re.compile(r"\(at line (\d+)")
_LONGEST = 4096  #: characters in a pattern; no path is longer
_STARS = 64


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `[paths]`."""

    pattern: str
    mode: Mode
    folder: bool  #: it ends with a slash: folders only
    matches: re.Pattern[str]

    def below(self, folder: str) -> bool:
        """Whether it names something in `folder`, and not the folder itself."""
        return self.pattern.removeprefix("/").startswith(f"{folder}/") and bool(
            self.pattern.removeprefix("/").removeprefix(f"{folder}/").strip("*/")
        )


class Rules(msgspec.Struct, frozen=True):
    """All of them, in the order of the file."""

    rules: tuple[Rule, ...] = ()

    def of(self, path: str) -> Mode | None:
        """The mode of a file; None when no rule speaks of it."""
        if not self.rules:
            return None
        above = list(_above(path))
        for rule in reversed(self.rules):
            if any(map(rule.matches.fullmatch, above)) or (not rule.folder and rule.matches.fullmatch(path)):
                return rule.mode
        return None

    def of_folder(self, path: str) -> Mode | None:
        """The mode of a folder as a whole: "link" only where a rule with a slash at its end says so."""
        if not self.rules:
            return None
        above = list(_above(path))
        for rule in reversed(self.rules):
            if rule.matches.fullmatch(path):
                return rule.mode if rule.folder or rule.mode != "link" else None
            if any(map(rule.matches.fullmatch, above)):
                return rule.mode if rule.mode != "link" else None
        return None

    def names_below(self, folder: str) -> bool:
        """Whether a rule brings in something of `folder`."""
        return any(rule.mode != "ignore" and rule.below(folder) for rule in self.rules)


def _above(path: str) -> Iterator[str]:
    """The folders above a path, the nearest last."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


def parse(text: str, where: str) -> Rules:
    """The rules in the text of `where` (a path, for messages).

    Raises InvalidInput that names the line and what is allowed.
    """
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _AT_LINE.search(str(error))
        line = int(found[1]) if found else max(1, text.count("\n"))
        raise InvalidInput(f"{where}:{line}: not TOML: {error}", hint=_ALLOWED) from error
    for name, value in tree.items():
        if name != "paths" or not isinstance(value, dict):
            what = "must be a [table]" if name == "paths" else "is nothing that is known here"
            raise InvalidInput(f"{where}:{_line(text, name)}: {name} {what}", hint=_ALLOWED)
    return Rules(tuple(_rule(pattern, mode, text, where) for pattern, mode in tree.get("paths", {}).items()))


_ALLOWED = '[paths] with lines such as "config/*.json" = "copy"; allowed: link, copy, ignore'


def _rule(pattern: str, mode: object, text: str, where: str) -> Rule:
    def wrong(what: str) -> InvalidInput:
        return InvalidInput(f"{where}:{_line(text, pattern)}: {what}", hint=_ALLOWED)

    if isinstance(mode, dict):
        raise wrong(f"{pattern} has parts; put a pattern with dots or slashes in quotes")
    if not isinstance(mode, str) or mode not in _MODES:
        shown = msgspec.json.encode(mode, enc_hook=str).decode()
        raise wrong(f'"{pattern}" is {shown}; allowed: {", ".join(_MODES)}')
    bare = pattern.removesuffix("/").removeprefix("/")
    if not bare or any(part in ("", ".", "..") for part in bare.split("/")):
        raise wrong(f'"{pattern}" is no path below sync/global or sync/repo')
    if len(pattern) > _LONGEST or pattern.count("*") > _STARS:
        raise wrong(f"the pattern is too long; {_LONGEST} characters and {_STARS} stars are allowed")
    try:
        matches = re.compile(_regex(pattern), re.DOTALL)
    except re.error as error:
        raise wrong(f'"{pattern}" is no pattern: {error}') from error
    return Rule(pattern=pattern, mode=mode, folder=pattern.endswith("/"), matches=matches)  # type: ignore[arg-type]  # one of _MODES


def _regex(pattern: str) -> str:
    """gitignore(5) as a regular expression for a whole path.

    What stands before a star is found where it comes first, and that is never taken back: an earlier
    place leaves all the later ones. So the time does not grow with the number of stars.
    """
    body = pattern.removesuffix("/")
    parts = body.removeprefix("/").split("/")
    if "/" not in body:
        parts.insert(0, "**")
    runs: list[list[str]] = [[]]
    for part in parts:
        if part == "**":
            runs.append([])
        else:
            runs[-1].append(_part(part))
    first, *rest = runs
    made = ["/".join(first)]
    if not rest:
        return made[0]
    made += ["/"] if first else []
    *between, last = rest
    made += ["(?>(?:[^/]*/)*?" + "/".join(run) + "/)" for run in between if run]
    made.append("(?:[^/]*/)*?" + "/".join(last) if last else ".+")
    return "".join(made)


def _part(part: str) -> str:
    """Of a path's part, from one slash to the next."""
    first, *rest = _pieces(part)
    if not rest:
        return first
    *between, last = rest
    stars = "".join(f"(?>[^/]*?{piece})" for piece in between)
    return f"(?>{first}{stars}[^/]*{last}(?![^/]))" if last else f"{first}{stars}[^/]*"


def _pieces(part: str) -> list[str]:
    """What stands before, between and after its stars."""
    made = [""]
    at = 0
    while at < len(part):
        rest = part[at:]
        if rest[0] == "*":
            made.append("")
            at += len(rest) - len(rest.lstrip("*"))
        elif rest[0] == "?":
            made[-1] += "[^/]"
            at += 1
        elif rest[0] == "[" and (end := part.find("]", at + 2 + (rest[1:2] == "!"))) > 0:
            made[-1] += _class(part[at + 1 : end])
            at = end + 1
        else:
            at += rest[0] == "\\" and len(rest) > 1
            made[-1] += re.escape(part[at])
            at += 1
    return made


def _class(inside: str) -> str:
    """`[a-z]`, `[!0-9]`: never a slash."""
    negated = inside[:1] in ("!", "^")
    letters = inside[negated:].replace("\\", "\\\\").replace("[", "\\[").replace("^", "\\^")
    for double in ("&&", "||", "~~", "--"):  # set operations to come in `re`
        letters = letters.replace(double, f"\\{double[0]}\\{double[1]}")
    return f"(?!/)[{'^' if negated else ''}{letters}]"


def _line(text: str, key: str) -> int:
    """The line (from 1) where `key` is set, as far as that can be seen; tomllib keeps no positions."""
    quoted = (f'"{key}"', f"'{key}'", key, msgspec.json.encode(key).decode())
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip().removeprefix("[").strip()
        for word in quoted:
            if bare.startswith(word) and bare[len(word) :].lstrip()[:1] in ("=", "]", "."):
                return number
    return 1
