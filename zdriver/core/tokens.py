"""Search words, made the same way for every engine.

SQLite's and PostgreSQL's own tokenisers disagree about `src/api.ts`, `user-auth` and `café`,
so text is split here and both index the same words: casefolded, without accents, split at
everything that is neither letter nor digit; runs of Han, kana and Hangul as pairs of characters.
An emoji (any symbol that is a picture) is a word of its own, whatever its skin tone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

#: Longer words are cut, in the index and in queries alike.
WORD_MAX = 64
#: A query of more words than this is cut: nobody types them, and each costs a look-up.
QUERY_WORDS_MAX = 32

_WORD = re.compile(r"[^\W_]+")
#: Words, and what may be a picture: neither a letter nor ASCII nor a space.
_WORD_OR_SIGN = re.compile(r"[^\W_]+|[^\w\s\x00-\x7f]")
_CJK = re.compile(
    "([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+)"
)


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", text.casefold())
    folded = "".join(c for c in folded if not unicodedata.combining(c))
    # Composed again, so that Hangul is syllables and not jamo.
    return unicodedata.normalize("NFKC", folded).casefold()


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Words, and whether each is a run of CJK characters."""
    folded = _fold(text)
    if folded.isascii():
        yield from ((word, False) for word in _WORD.findall(folded))
        return
    for word in _WORD_OR_SIGN.findall(folded):
        if not word[0].isalnum():
            if unicodedata.category(word) == "So":
                yield word, False
            continue
        for part in _CJK.split(word):
            if part:
                yield part, _CJK.match(part) is not None


def index_words(text: str) -> list[str]:
    """The words to index, each once, in order of appearance."""
    found: dict[str, None] = {}
    for word, cjk in _pieces(text):
        if cjk:
            # The last character stands alone too, so that a query of one character finds it.
            found.update(dict.fromkeys(word[i : i + 2] for i in range(len(word))))
        else:
            found[word[:WORD_MAX]] = None
    return list(found)


def search_words(text: str, artifacts: Iterable[str]) -> str:
    """What the search of an entry knows: words joined by spaces, for every engine the same."""
    return " ".join(index_words(" ".join((text, *artifacts))))


def query_words(text: str) -> list[str]:
    """The words that all must occur; the last may be the beginning of one."""
    found: list[str] = []
    for word, cjk in _pieces(text):
        if cjk and len(word) > 1:
            found += [word[i : i + 2] for i in range(len(word) - 1)]
        else:
            found.append(word[:WORD_MAX])
    return found[:QUERY_WORDS_MAX]
