"""`.zdriver.toml`: what it may say, and that each thing that is wrong is said with its line."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdriver.core.errors import InvalidInput
from zdriver.hooks import rules
from zdriver.hooks.model import HOOKS, Wishes

_WHOLE = """
copy = ["local.env", "certs/**"]
ports = ["WEB_PORT", "DB_PORT"]

[hooks]
post-create = ["npm ci", "make db"]
pre-remove = "docker compose down"
"""


def test_a_whole_file() -> None:
    assert rules.parse(_WHOLE) == Wishes(
        hooks={"post-create": ("npm ci", "make db"), "pre-remove": ("docker compose down",)},
        lines={"post-create": 6, "pre-remove": 7},
        copy=("local.env", "certs/**"),
        ports=("WEB_PORT", "DB_PORT"),
    )


def test_an_empty_file_asks_for_nothing() -> None:
    assert rules.parse("") == rules.parse("# nothing\n[hooks]\n") == Wishes()


@pytest.mark.parametrize(
    ("text", "says", "hints"),
    [
        ("copy = [\n", ".zdriver.toml is not TOML: ", "mend that line"),
        ("\nport = ['A']", ".zdriver.toml, line 2: port is no setting", "did you mean ports?"),
        ('"a\\nb" = 1', '"a\\nb" is no setting', "there are"),
        ("hooks = 'x'", "line 1: hooks is no setting", "there are: copy, ports, hooks.post-create"),
        (
            "[hooks]\npost-crate = 'x'",
            "line 2: hooks.post-crate is no setting",
            "did you mean hooks.post-create?",
        ),
        ("[hooks]\n\ncopy = ['a']", "line 3: hooks.copy is no setting", "put copy above the line [hooks]"),
        ("post-create = 'x'", "line 1: post-create is no setting", "put post-create below a line [hooks]"),
        ("[hooks]\npre-remove = 7", "line 2: hooks.pre-remove is 7; allowed: text in quotes", "mend it"),
        ("[hooks]\npre-remove = []", "line 2: hooks.pre-remove is []; allowed: text in quotes", "for none"),
        ("[hooks]\npre-remove = ['a', ' ']", 'hooks.pre-remove is ["a", " "]', "one of them is empty"),
        ("[hooks]\npre-remove = 'a\x1b[2K'", "is not TOML", ""),
        ('[hooks]\npre-remove = "a\\u001b[2Kb"', "holds the character U+001B, which hides", "take it out"),
        ('[hooks]\npre-remove = "a\\u202eb"', "holds the character U+202E, which hides", "take it out"),
        ("copy = 'a'", 'line 1: copy is "a"; allowed: a list of paths below the trunk', ""),
        ("copy = ['/etc/passwd']", 'line 1: copy is "/etc/passwd"', "without .. and .git"),
        ("copy = ['a/../../b']", 'line 1: copy is "a/../../b"', "without .. and .git"),
        ("copy = ['.git/config']", 'line 1: copy is ".git/config"', "without .. and .git"),
        ("ports = ['web']", 'line 1: ports is "web"; allowed: a list of environment variables', "capital"),
        ("ports = ['A', 'A']", 'line 1: ports is ["A", "A"]', "A is there twice"),
        ("ports = ['PATH']", 'line 1: ports is "PATH"', "take another"),
        ("ports = ['LD_PRELOAD']", 'line 1: ports is "LD_PRELOAD"', "take another"),
        ("ports = ['ZDRIVER_WORKTREE']", "ports is", "take another"),
        ("ports = [" + "'A'," * 51 + "]", "ports has 51 entries; allowed: 50", ""),
        ("copy = [" + "'a'," * 201 + "]", "copy has 201 entries; allowed: 200", ""),
        (
            "[hooks]\npre-remove = '" + "x" * 20_001 + "'",
            "hooks.pre-remove is too long; allowed: 100",
            "script",
        ),
    ],
)
def test_what_is_wrong_is_said_with_file_line_and_what_is_allowed(text: str, says: str, hints: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        rules.parse(text)
    assert says in refused.value.message
    assert hints in refused.value.hint
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("name", ["PORT", "WEB_PORT", "PGPORT", "A1", "HOMEPAGE", "TERMINAL_PORT"])
def test_usual_variables_are_allowed(name: str) -> None:
    assert rules.parse(f"ports = ['{name}']").ports == (name,)


@given(st.lists(st.text(), min_size=1), st.lists(st.text(), min_size=1))
def test_two_lists_of_commands_never_have_one_digest(one: list[str], other: list[str]) -> None:
    same = rules.digest(tuple(one)) == rules.digest(tuple(other))
    assert same == (one == other)


def test_a_digest_for_one_commit_is_another_one() -> None:
    commands = ("make setup",)
    digests = {rules.digest(commands), rules.digest(commands, "a"), rules.digest(commands, "b")}
    assert len(digests) == 3
    assert rules.digest(("a\nb",)) != rules.digest(("a", "b"))


def test_an_unknown_hook_is_named_with_those_there_are() -> None:
    with pytest.raises(InvalidInput) as refused:
        rules.hook_name("post-creat")
    assert refused.value.hint == "there are: post-create, pre-remove, post-remove"


@given(st.text())
def test_whatever_the_file_holds_it_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInput):  # either outcome is allowed
        rules.parse(text)


def test_the_page_shows_a_file_that_is_accepted() -> None:
    page = (Path(__file__).parents[2] / "docs" / "zdriver-toml.md").read_text()
    (example,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    wishes = rules.parse(example)
    assert set(wishes.hooks) == set(HOOKS)
    assert wishes.ports == ("WEB_PORT", "DB_PORT")
    assert wishes.copy == ("local.env", "certs/**")
