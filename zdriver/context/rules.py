"""What a text may be and what a name may mean: pure decisions, no I/O."""

from __future__ import annotations

import re
import unicodedata
from typing import cast, get_args

from zdriver.context.model import TEXT_MAX, Kind, Source
from zdriver.core.errors import InvalidInput
from zdriver.core.redact import redact_text

ARTIFACT_MAX = 4096  #: characters, as the longest path
ARTIFACTS_MAX = 100
LIMIT_MAX = 1000  #: entries in one answer

_BREAKS = re.compile("[\t\n\v\f\r\x85\u2028\u2029]")
_SPACES = re.compile("[ \t\n\v\f\r\x85\u2028\u2029]+")
_ID_END = re.compile(r"[0-9a-f-]{1,36}")


def sentence(text: str, what: str) -> str:
    """The text as it is stored: one line, without secrets.

    Line breaks and tabs become a space, since an intent and a milestone are one sentence each
    and are shown on one line. Raises InvalidInput.
    """
    if len(text) > 4 * TEXT_MAX:
        raise _too_long(what, len(text))
    # A tab or a newline is what pasting leaves; any other control character is an accident.
    line = _SPACES.sub(" ", text).strip() if _BREAKS.search(text) else text.strip()
    if not line:
        raise InvalidInput(f"the {what} is empty", hint=f'say it in a sentence: zdriver {what} "…"')
    if len(line) > TEXT_MAX:
        raise _too_long(what, len(line))
    _refuse_controls(line, what)
    # The mark may be longer than the secret was.
    return redact_text(line)[0][:TEXT_MAX]


def _too_long(what: str, length: int) -> InvalidInput:
    return InvalidInput(
        f"the {what} has {length:,} characters; {TEXT_MAX:,} are allowed",
        hint="say it in a sentence, and name a file with the rest as an artifact",
    )


def _refuse_controls(text: str, what: str) -> None:
    if text.isascii() and text.isprintable():
        return
    for position, character in enumerate(text, 1):
        # Cc: control characters; Cs: halves of a pair, which are no text at all.
        if unicodedata.category(character) in ("Cc", "Cs"):
            raise InvalidInput(
                f"the {what} holds the control character U+{ord(character):04X} at position {position}",
                hint="take it out and do it again",
            )


def artifacts(given: tuple[str, ...]) -> tuple[str, ...]:
    """As stored: without secrets and doubles. Raises InvalidInput."""
    if len(given) > ARTIFACTS_MAX:
        raise InvalidInput(
            f"{len(given)} artifacts were given; {ARTIFACTS_MAX} are allowed",
            hint="name their folder instead",
        )
    kept: dict[str, None] = {}
    for artifact in given:
        if not artifact.strip():
            raise InvalidInput("an artifact is empty", hint="give a path or an address")
        if len(artifact) > ARTIFACT_MAX:
            raise InvalidInput(
                f"an artifact has {len(artifact):,} characters; {ARTIFACT_MAX:,} are allowed",
                hint="give a path or an address",
            )
        _refuse_controls(artifact, "artifact")
        kept[redact_text(artifact)[0]] = None
    return tuple(kept)


def source(given: str) -> Source:
    """Raises InvalidInput. The wire checks types; calls in-process come here as they are."""
    return cast(Source, _one_of(given, get_args(Source), "source"))


def kind(given: str) -> Kind:
    """Raises InvalidInput."""
    return cast(Kind, _one_of(given, get_args(Kind), "kind"))


def _one_of(given: str, allowed: tuple[str, ...], what: str) -> str:
    if given not in allowed:
        raise InvalidInput(f"there is no {what} {given!r}", hint=f"give one of {', '.join(allowed)}")
    return given


def id_end(given: str) -> str:
    """An id or the end of one, as looked up; "" when it can be neither."""
    folded = given.strip().lower()
    return folded if _ID_END.fullmatch(folded) else ""


def page(limit: int) -> int:
    """Raises InvalidInput."""
    if limit < 1:
        raise InvalidInput(f"a limit of {limit} shows nothing", hint=f"give 1 to {LIMIT_MAX:,}")
    return min(limit, LIMIT_MAX)
