"""The pure parts of the git layer: names of refs, URLs, counting, commits, git's words."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zdriver.core.errors import Conflict, NotFound, Unavailable, ZdriverError
from zdriver.git import counting, failing, refs, replaying
from zdriver.git.failing import Failure
from zdriver.git.settings import one, remotes, true, without_secrets
from zdriver.git.targets import in_repo

pieces = st.sampled_from(
    [
        *("a", "-", ".", "..", "/", "//", "@", "{", "@{", "~", "^", ":", "?", "*", "[", "\\", " ", ".lock"),
        *("HEAD", "refs/", "\t", "\n", "lock", "x", "\x01", "é", "ü", "\x7f"),
    ]
)


@settings(max_examples=150)
@given(st.lists(pieces, min_size=1, max_size=5).map("".join))
@example("HEAD")
@example("@")
@example("a.lock/b")
@example("-a")
def test_branch_names_as_git_judges_them(name: str) -> None:
    done = subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"], check=False)
    assert refs.valid_ref(f"refs/heads/{name}") == (done.returncode == 0)
    asked = subprocess.run(["git", "check-ref-format", "--branch", name], check=False, capture_output=True)
    if refs.valid_branch(name):
        assert asked.returncode == 0


def test_packed_refs() -> None:
    text = (
        "# pack-refs with: peeled fully-peeled sorted \n"
        f"{'a' * 40} refs/heads/main\n{'b' * 40} refs/tags/v1\n^{'c' * 40}\n"
        f"{'d' * 64} refs/heads/ünï x\nbroken\n"
    )
    assert refs.parse_packed(text) == {
        "refs/heads/main": "a" * 40,
        "refs/tags/v1": "b" * 40,
        "refs/heads/ünï x": "d" * 64,
    }


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:secret@example.org/x.git", "https://example.org/x.git"),
        ("https://token@example.org:8443/x", "https://example.org:8443/x"),
        ("ssh://git@example.org/x", "ssh://git@example.org/x"),
        ("ssh://git:secret@example.org/x", "ssh://git@example.org/x"),
        ("git@example.org:x.git", "git@example.org:x.git"),
        ("/a path/with@at", "/a path/with@at"),
        ("file:///x", "file:///x"),
        ("http://[broken", "http://[broken"),
    ],
)
def test_urls_without_secrets(url: str, shown: str) -> None:
    assert without_secrets(url) == shown


def test_settings() -> None:
    found = {
        "remote.z.url": ["z"],
        "remote.origin.url": ["o"],
        "core.bare": ["false", "TRUE"],
        "remote.x.fetch": ["f"],
    }
    assert remotes(found) == ["origin", "z"]
    assert true(found, "core.bare")
    assert not true(found, "none")
    assert one(found, "none") == ""


# ---- ahead and behind ---------------------------------------------------------------------


@st.composite
def histories(draw: Callable[..., object]) -> dict[str, tuple[str, ...]]:
    """Commits 0…n; each has up to two of the earlier ones as parents."""
    count = draw(st.integers(1, 12))
    assert isinstance(count, int)
    made: dict[str, tuple[str, ...]] = {}
    for number in range(count):
        earlier = st.integers(0, number - 1).map(str) if number else st.nothing()
        parents = draw(st.lists(earlier, max_size=min(2, number), unique=True))
        assert isinstance(parents, list)
        made[str(number)] = tuple(parents)
    return made


@given(histories(), st.data())
def test_counting_leaves_out_what_both_have(parents: dict[str, tuple[str, ...]], data: st.DataObject) -> None:
    """The same whether the history below a common ancestor is listed or not."""
    left, right = (data.draw(st.sampled_from(sorted(parents))) for _ in "lr")

    def below(tip: str) -> set[str]:
        return {tip}.union(*(below(one) for one in parents[tip]))

    both = below(left) & below(right)
    expected = len(below(left) - below(right)), len(below(right) - below(left))
    assert counting.sides(parents, left, right) == expected
    if both:
        fork = data.draw(st.sampled_from(sorted(both)))
        listed = {name: up for name, up in parents.items() if name not in below(fork)}
        assert counting.sides(listed, left, right) == expected


# ---- commits ------------------------------------------------------------------------------


def test_a_commit_s_parts() -> None:
    raw = (
        b"tree " + b"a" * 40 + b"\nparent " + b"b" * 40 + b"\nparent " + b"c" * 40 + b"\n"
        b"author \xc3\x9cn <x@y> 1600000000 -0130\ncommitter C <c@d> 1 +0000\n"
        b"encoding ISO-8859-1\ngpgsig -----BEGIN\n author fake <f@f> 1 +0000\n\n"
        b"subject\n\nauthor not <me@x> 2 +0000\n"
    )
    said = replaying.parse_commit(raw)
    assert said.parents == ["b" * 40, "c" * 40]
    assert said.author == {
        "GIT_AUTHOR_NAME": "Ün",
        "GIT_AUTHOR_EMAIL": "x@y",
        "GIT_AUTHOR_DATE": "@1600000000 -0130",
    }
    assert said.encoding == "ISO-8859-1"
    assert said.message == b"subject\n\nauthor not <me@x> 2 +0000\n"
    with pytest.raises(ZdriverError, match="without an author"):
        replaying.parse_commit(b"tree x\n\nmessage")


def test_files_named_up_to_five() -> None:
    assert replaying.some(["a", "a", "b"]) == "a, b"
    assert replaying.some(list("abcdefg")) == "a, b, c, d, e and 2 more"


# ---- git's words --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("err", "kind", "says", "hint"),
    [
        ("fatal: not a git repository (or any parent)", NotFound, "not a git repository", ""),
        ("error: a\nhelper: b\nfatal: c", ZdriverError, "git fetch: a; c", "helper: b"),
        (
            "remote: log in\nfatal: could not read Username for 'https://x': terminal prompts disabled",
            Unavailable,
            "could not read Username",
            "run the same git fetch by hand; remote: log in",
        ),
        (
            "git@x: Permission denied (publickey).\r\nfatal: Could not read from remote repository.",
            Unavailable,
            "Could not read from remote",
            "Permission denied (publickey)",
        ),
        (
            "fatal: cannot create directory at 'x': No space left on device",
            Unavailable,
            "No space",
            "make room",
        ),
        ("fatal: 'x' is already checked out at '/y'", Conflict, "/y", ""),
        ("fatal: 'x' is already used by worktree at '/y'", Conflict, "/y", ""),
        ("fatal: cannot lock ref 'refs/heads/x': is at a but expected b", Conflict, "expected b", ""),
        ("fatal: unable to access 'https://me:hunter22secret@x/': no", Unavailable, "unable to access", ""),
        ("", ZdriverError, "exit 3", ""),
    ],
)
def test_failures_are_translated(err: str, kind: type[ZdriverError], says: str, hint: str) -> None:
    error = failing.translated(Failure(("-C", "/x"), ("fetch", "--quiet", "--", "origin"), 3, err))
    assert type(error) is kind
    assert says in error.message
    assert hint in error.hint
    assert "\n" not in error.message
    assert "hunter22secret" not in error.message + error.hint


def test_a_lock_names_who_has_it(tmp_path: Path) -> None:
    lock = tmp_path / "in\ndex.lock"
    err = f"fatal: Unable to create '{lock}': File exists.\n\nAnother git process seems to be running"
    error = failing.translated(Failure((), ("commit",), 128, err))
    assert isinstance(error, Conflict)
    assert "no process of yours" in error.message
    with lock.open("w"):
        error = failing.translated(Failure((), ("commit",), 128, err))
    assert "is at work there" in error.message


def test_long_words_are_cut_in_the_middle() -> None:
    said = failing.words("fatal: " + "a" * 1000 + " the end")
    assert len(said) < 700
    assert said.endswith("the end")


def test_the_command_is_named_without_its_arguments() -> None:
    for args, name in (
        (("-c", "checkout.workers=2", "worktree", "add", "--quiet", "/x"), "git worktree add"),
        (("merge-tree", "--write-tree", "a", "b"), "git merge-tree"),
        (("update-ref", "-d", "--", "refs/x"), "git update-ref"),
    ):
        assert failing.translated(Failure((), args, 1, "fatal: x")).message == f"{name}: x"


def test_where_git_is_told_to_look(tmp_path: Path) -> None:
    assert in_repo("/a b/.git") == ("-C", "/a b")
    assert in_repo("/.git") == ("-C", "/")
    assert in_repo(str(tmp_path)) == ("-C", str(tmp_path), "--git-dir", str(tmp_path))
    assert in_repo("/nowhere/x.git") == ("-C", "/nowhere/x.git")
