"""What a person types → what a folder and a branch are called."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from zdriver.core.errors import InvalidInput
from zdriver.worktrees.names import (
    SLUG_MAX,
    TITLE_MAX,
    branch,
    checked_branch,
    checked_template,
    folder,
    key,
    slug,
    title,
)


@pytest.mark.parametrize(
    ("typed", "safe"),
    [
        ("user-auth", "user-auth"),
        ("User Auth", "User-Auth"),
        ("  two   spaces ", "two-spaces"),
        ("-leading", "leading"),
        ("--force", "force"),
        ("../../etc/passwd", "etc-passwd"),
        ("a/b\\c:d", "a-b-c-d"),
        ("v1.2..3", "v1.2.3"),
        ("x.lock", "x-lock"),
        ("x.LOCK", "x-lock"),
        (".hidden.", "hidden"),
        ("issue #12: it breaks!", "issue-12-it-breaks"),
        ("c++", "c++"),
        ("under_score", "under_score"),
        ("a@{b}~^?*[", "a-b"),
        ("two\nlines\tand a tab", "two-lines-and-a-tab"),
        ("数据库 重构", "数据库-重构"),
        ("إصلاح الخطأ", "إصلاح-الخطأ"),
        ("исправить вход", "исправить-вход"),
        ("क्षत्रिय", "क्षत्रिय"),
        ("🎉", "🎉"),
        ("✨ sparkle 👩‍💻", "✨-sparkle-👩💻"),
        ("cafe\u0301", "café"),  # the same in both forms
        ("\u0301accent first", "accent-first"),
        ("zero\u200bwidth", "zerowidth"),
    ],
)
def test_a_name_is_made_safe(typed: str, safe: str) -> None:
    assert slug(title(typed)) == safe


@pytest.mark.parametrize("typed", ["", "   ", "..", "/", "-", "---", "!?", "\u200b", "\u202e"])
def test_names_of_which_nothing_is_left(typed: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        slug(title(typed))
    assert refused.value.hint
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("typed", ["a\x1b[31mb", "a\0b", "a\x7fb", "a\ud800b"])
def test_control_characters_are_refused(typed: str) -> None:
    with pytest.raises(InvalidInput, match=r"control character U[+]"):
        title(typed)


def test_a_title_is_what_was_typed() -> None:
    assert title("  Fix the Login,\n please! ") == "Fix the Login, please!"
    assert title("שלום \u202e עולם") == "שלום עולם"  # no character that turns what follows around
    assert "ghp_" not in title("with ghp_0123456789abcdefghijABCDEFGHIJ012345")
    with pytest.raises(InvalidInput, match="501 characters"):
        title("x" * (TITLE_MAX + 1))


def test_200_characters_stay_in_any_script() -> None:
    assert slug("x" * 200) == "x" * 200
    for character in "界😀é":
        cut = slug(character * 200)
        assert len(cut.encode()) <= SLUG_MAX
        assert cut.startswith(character * 20)


def test_long_names_that_begin_alike_do_not_meet() -> None:
    assert slug("界" * 200) != slug("界" * 199 + "面")


def test_a_cut_takes_no_mark_from_its_character() -> None:
    cut = slug("क्षि" * 100).rpartition("-")[0]
    assert unicodedata.normalize("NFC", cut) == cut
    assert ("क्षि" * 100).startswith(cut)
    assert unicodedata.category(("क्षि" * 100)[len(cut)])[0] != "M"


@given(st.text(max_size=300))
@example("a.lock.lock")
@example("-.-.-")
@example("a" * 300)
def test_what_is_safe_is_safe_everywhere(typed: str) -> None:
    try:
        safe = slug(title(typed))
    except InvalidInput:
        return
    name = folder("feat", safe)
    assert checked_branch(name) == name
    assert checked_branch(f"feat/{safe}") == f"feat/{safe}"
    assert 0 < len(name.encode()) <= 250
    assert not set(name) & set("/\\\0\n\t ~^:?*[]{}@'\"$&|;<>()`!#%")
    assert slug(title(safe)) == safe, "a safe name stays as it is"


@given(st.text(min_size=1, max_size=40))
def test_titles_are_one_line_and_stay_what_they_are(typed: str) -> None:
    try:
        shown = title(typed)
    except InvalidInput:
        return
    assert "\n" not in shown
    assert title(shown) == shown


def test_names_that_file_systems_confuse_have_one_key() -> None:
    assert key("feat-User") == key("feat-uSER")
    assert key("feat-Straße") == key("feat-STRASSE")
    assert key("feat-café") == key("feat-cafe\u0301")
    assert key("feat-user") != key("feat-users")


@pytest.mark.parametrize(
    "name", ["", "@", "HEAD", "-x", "a..b", "a b", "a~", "a/", "/a", "a//b", ".a", "a/.b", "a.lock", "a.",
             "refs/heads/a", "a@{b", "a\\b", "a\x7f", "x" * 251]
)  # fmt: skip
def test_branches_that_git_does_not_take(name: str) -> None:
    with pytest.raises(InvalidInput):
        checked_branch(name)


@given(st.from_regex(r"[a-z0-9/._@{}~-]{1,12}", fullmatch=True))
def test_branches_of_ordinary_letters_pass_as_in_git(name: str) -> None:
    """The rules of git-check-ref-format(1), written once more as one expression each."""
    good = not (
        any(part == "" or part.startswith(".") or part.endswith(".lock") for part in name.split("/"))
        or ".." in name
        or "~" in name
        or "@{" in name
        or name.endswith(".")
        or name.startswith("-")
        or name == "@"
    )
    assume(not name.startswith("refs/"))
    try:
        assert checked_branch(name) == name
    except InvalidInput:
        assert not good
    else:
        assert good


def test_the_template_of_branches() -> None:
    assert branch("{type}-{name}", "feat", "x") == "feat-x"
    assert branch("{type}/{name}", "feat", "x") == "feat/x"
    assert branch("me/{name}", "feat", "x") == "me/x"
    for wrong in ("", "{type}", "{type}-{title}"):
        with pytest.raises(InvalidInput, match=r"worktrees\.branch"):
            checked_template(wrong)
    with pytest.raises(InvalidInput):
        branch("{type}..{name}", "feat", "x")
