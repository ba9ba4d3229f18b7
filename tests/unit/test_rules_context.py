"""What a text may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdriver.context import rules
from zdriver.core.errors import InvalidInput


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("  a b  ", "a b"),
        ("a\n\n b\tc\r\n", "a b c"),
        ("two  spaces", "two  spaces"),
        ("a\u2028b", "a b"),
        ("é ✨ 数据 \u200d \u00a0", "é ✨ 数据 \u200d"),
        ("x" * 10_000, "x" * 10_000),
        ("\n" * 100 + "x" * 10_000, "x" * 10_000),
    ],
)
def test_a_sentence_is_one_line(given_: str, kept: str) -> None:
    assert rules.sentence(given_, "intent") == kept


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\t", "x" * 10_001, "x" * 100_000, "a\0b", "a\x07", "\x1b[0m", "\x7f", "\x9b", "\ud800"],
)
def test_what_is_no_sentence(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        rules.sentence(text, "milestone")
    assert refused.value.message.startswith("the milestone ")
    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 100
    assert refused.value.hint


@given(st.text(max_size=300))
def test_whatever_is_accepted_is_one_printable_line(text: str) -> None:
    try:
        kept = rules.sentence(text, "intent")
    except InvalidInput:
        return
    assert kept
    assert kept == kept.strip()
    assert len(kept.splitlines()) == 1
    kept.encode("utf-8")
    assert rules.sentence(kept, "intent") == kept


def test_artifacts_are_paths_without_doubles_and_secrets() -> None:
    assert rules.artifacts(("a b", "a b", "https://me:pw@x/y")) == ("a b", "https://me:‹redacted›@x/y")
    for wrong in (("",), (" ",), ("a\nb",), ("x" * 4097,), tuple(map(str, range(101)))):
        with pytest.raises(InvalidInput):
            rules.artifacts(wrong)


def test_ends_of_ids() -> None:
    assert rules.id_end(" 0A-f ") == "0a-f"
    for wrong in ("", "xyz", "%", "a_b", "a" * 37, "é"):
        assert rules.id_end(wrong) == ""
