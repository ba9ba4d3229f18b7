"""Search words: the same in the index and in queries, whatever the engine."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdriver.core.tokens import WORD_MAX, index_words, query_words, search_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Fix user-auth in src/api.ts", ["fix", "user", "auth", "in", "src", "api", "ts"]),
        ("snake_case camelCase v1.2", ["snake", "case", "camelcase", "v1", "2"]),
        ("Café CAFÉ cafe\u0301", ["cafe"]),
        ("Straße ﬁle ½ İ", ["strasse", "file", "1", "2", "i"]),
        ("数据库", ["数据", "据库", "库"]),
        ("修复bug了", ["修复", "复", "bug", "了"]),
        ("カタカナ", ["カタ", "タカ", "カナ", "ナ"]),
        ("한국어", ["한국", "국어", "어"]),
        ("a a A", ["a"]),
        ("… — ! + → €", []),
        ("🚀 ship it🎉", ["🚀", "ship", "it", "🎉"]),
        ("👍🏽 👩\u200d💻 ❤\ufe0f 🇩🇪", ["👍", "👩", "💻", "❤", "🇩", "🇪"]),
        ("", []),
    ],
)
def test_words_to_index(text: str, words: list[str]) -> None:
    assert index_words(text) == words


def test_words_to_look_for() -> None:
    assert query_words("数据库") == ["数据", "据库"]
    assert query_words("库") == ["库"]
    assert query_words("src/api") == ["src", "api"]
    assert query_words("🚀") == ["🚀"]
    assert len(query_words("word " * 1000)) == 32


def test_artifacts_are_searched_too() -> None:
    assert search_words("Plan done", ("docs/plan.md",)) == "plan done docs md"


@given(st.text())
def test_a_text_finds_itself(text: str) -> None:
    there = index_words(text)
    for word in query_words(text):
        assert word in there or any(each.startswith(word) for each in there)


@given(st.text())
def test_words_are_plain(text: str) -> None:
    """They go into the engines' query languages: nothing there may mean anything."""
    for word in index_words(text) + query_words(text):
        assert word
        assert len(word) <= WORD_MAX
        picture = len(word) == 1 and unicodedata.category(word) == "So"
        assert picture or all(unicodedata.category(c)[0] in "LN" for c in word), ascii(word)


@given(st.text())
def test_case_and_accents_do_not_matter(text: str) -> None:
    assert index_words(unicodedata.normalize("NFD", text)) == index_words(unicodedata.normalize("NFC", text))
    assert index_words(text.casefold()) == index_words(text)
