"""What was typed → what a folder and a branch are called. Pure.

A name may be anything a person types, in any script. It is shown as it was typed (`title`);
folder and branch get the part of it that is safe everywhere (`slug`): letters, their marks,
digits and pictures, words joined by `-`.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

from zdriver.core.errors import InvalidInput
from zdriver.core.redact import redact_text

TITLE_MAX = 500  #: characters
#: UTF-8 bytes of a slug. A file name may have 255: type and "-" go before it, git's ".lock" behind.
SLUG_MAX = 200
#: UTF-8 bytes of a branch and of each of its parts.
BRANCH_MAX = 1000
PART_MAX = 250

_KEPT = frozenset("._+")
#: Invisible, and able to make text read otherwise than it is: never stored.
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_SPACES = re.compile(r"\s+")
_DOTS = re.compile(r"\.{2,}")
_DASHES = re.compile(r"-*[.-]*-[.-]*|-{2,}")
#: git-check-ref-format(1), rules 3, 4, 5, 8, 10
_NEVER_IN_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{")


def title(typed: str) -> str:
    """As it is stored and shown: one line, without secrets. Raises InvalidInput."""
    line = _SPACES.sub(" ", _BIDI.sub("", typed)).strip()
    if not line:
        raise InvalidInput("the name is empty", hint="give one: zdriver feat user-auth")
    if len(line) > TITLE_MAX:
        raise InvalidInput(
            f"the name has {len(line):,} characters; {TITLE_MAX} are allowed",
            hint="give it a short one, and say more with zdriver intent",
        )
    for position, character in enumerate(line, 1):
        if unicodedata.category(character) in ("Cc", "Cs"):
            raise InvalidInput(
                f"the name holds the control character U+{ord(character):04X} at position {position}",
                hint="take it out and do it again",
            )
    return redact_text(line)[0]


def slug(shown: str) -> str:
    """The safe part of a title, never empty, at most `SLUG_MAX` bytes. Raises InvalidInput.

    One that is cut ends with a digest of the whole, so that two long names do not meet.
    """
    text = unicodedata.normalize("NFC", shown)
    safe = "".join(character if _is_safe(character) else "-" for character in text if _is_seen(character))
    safe = _tidy(safe)
    if not safe:
        raise InvalidInput(
            f"nothing of the name {shown!r} can be in the name of a folder",
            hint="give one with a letter or a digit in it: zdriver feat user-auth",
        )
    if len(safe.encode()) <= SLUG_MAX:
        return safe
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{_cut(safe, SLUG_MAX - 9)}-{digest}"


def _is_seen(character: str) -> bool:
    """Joiners and other invisible characters would make names differ that look the same."""
    return unicodedata.category(character) not in ("Cf", "Cn", "Co")


def _is_safe(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in _KEPT
    return unicodedata.category(character)[0] in "LMN" or unicodedata.category(character) in ("So", "Sk")


def _tidy(text: str) -> str:
    text = _DASHES.sub("-", _DOTS.sub(".", text)).strip("-.")
    # A mark has nothing to stand on at the beginning.
    while text and unicodedata.category(text[0])[0] == "M":
        text = text[1:].lstrip("-.")
    # Rule 1 of git-check-ref-format(1).
    return text[: -len(".lock")] + "-lock" if text.lower().endswith(".lock") else text


def _cut(text: str, size: int) -> str:
    """The beginning of `text` in at most `size` bytes, no character and its marks taken apart."""
    cut = text.encode()[:size].decode("utf-8", "ignore")
    rest = text[len(cut) :]
    while rest and cut and unicodedata.category(rest[0])[0] == "M":
        rest, cut = cut[-1] + rest, cut[:-1]
    return cut.rstrip("-.") or text[:1]


def folder(type_: str, safe: str) -> str:
    """`feat`, `user-auth` → `feat-user-auth`: the worktree's name and folder."""
    return f"{type_}-{safe}"


def key(name: str) -> str:
    """The same for names that a file system may not tell apart (upper and lower case, forms)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def branch(template: str, type_: str, safe: str) -> str:
    """`{type}-{name}`, `feat`, `user-auth` → `feat-user-auth`. Raises InvalidInput."""
    checked_template(template)
    return checked_branch(template.replace("{type}", type_).replace("{name}", safe))


def checked_template(template: str) -> str:
    """The setting `worktrees.branch`. Raises InvalidInput."""
    unknown = set(re.findall(r"\{(\w*)\}", template)) - {"type", "name"}
    if "{name}" not in template or unknown:
        raise InvalidInput(
            f"worktrees.branch is {template!r}; allowed: a text with {{name}}, and {{type}} if you like",
            hint="as {type}-{name} or {type}/{name}; `zdriver config edit` opens it",
        )
    return template


def checked_branch(name: str) -> str:
    """A branch's name as git takes it (git-check-ref-format(1)). Raises InvalidInput."""
    parts = name.split("/")
    wrong = (
        name in ("", "@", "HEAD")
        or name.startswith(("-", "refs/"))
        or name.endswith(".")
        or _NEVER_IN_BRANCH.search(name) is not None
        or any(not part or part.startswith(".") or part.endswith(".lock") for part in parts)
    )
    if wrong:
        raise InvalidInput(
            f"{name!r} cannot be the name of a branch", hint="git check-ref-format --help has the rules"
        )
    if len(name.encode()) > BRANCH_MAX or any(len(part.encode()) > PART_MAX for part in parts):
        raise InvalidInput(f"the name of the branch is too long ({len(name)} characters)", hint="shorten it")
    return name
