"""What git prints for programs, parsed: any byte in a name, and what later versions may add."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdriver.git import porcelain
from zdriver.git.porcelain import Counts, Listed

OID = "a" * 40
#: What a file's name may hold: all but NUL, and "/" between parts.
names = st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name and b"/" not in name)


def listed(*lines: bytes) -> bytes:
    return b"".join(line + b"\0" for line in (*lines, b""))


@given(st.lists(names, max_size=5))
def test_worktrees_with_any_name(found: list[bytes]) -> None:
    head = b"HEAD " + OID.encode()
    data = b"".join(listed(b"worktree /x/" + name, head, b"branch refs/heads/b") for name in found)
    assert porcelain.worktrees(data) == [
        Listed(path="/x/" + os.fsdecode(name), head=OID, branch="b") for name in found
    ]


def test_worktrees_of_every_kind() -> None:
    data = (
        listed(b"worktree /bare", b"bare")
        + listed(b"worktree /new", b"HEAD " + b"0" * 40, b"branch refs/heads/feat/x")
        + listed(b"worktree /d", b"HEAD " + OID.encode(), b"detached", b"locked", b"prunable gone\nfor good")
        + listed(b"worktree /l", b"HEAD " + OID.encode(), b"detached", b"locked two\nlines", b"future word")
    )
    assert porcelain.worktrees(data) == [
        Listed(path="/bare", bare=True),
        Listed(path="/new", branch="feat/x"),
        Listed(path="/d", head=OID, detached=True, locked="", prunable="gone\nfor good"),
        Listed(path="/l", head=OID, detached=True, locked="two\nlines"),
    ]
    assert porcelain.worktrees(b"") == []


def test_worktrees_by_line() -> None:
    data = f"worktree /a b\nHEAD {OID}\nbranch refs/heads/x\n\nworktree /c\nbare\n\n".encode()
    assert porcelain.worktrees_by_line(data) == [
        Listed(path="/a b", head=OID, branch="x"),
        Listed(path="/c", bare=True),
    ]


_KINDS = ("staged", "changed", "both", "renamed", "untracked", "conflicted", "ignored")


def entry(kind: str, name: bytes, other: bytes) -> bytes:
    modes = f"N... 100644 100644 100644 {OID} {OID}".encode()
    return {
        "staged": b"1 M. " + modes + b" " + name,
        "changed": b"1 .M " + modes + b" " + name,
        "both": b"1 MD " + modes + b" " + name,
        "renamed": b"2 R. " + modes + b" R100 " + name + b"\0" + other,
        "untracked": b"? " + name,
        "conflicted": b"u UU N... 100644 100644 100644 100644 " + (OID.encode() + b" ") * 3 + name,
        "ignored": b"! " + name,
    }[kind] + b"\0"


@given(st.lists(st.tuples(st.sampled_from(_KINDS), names, names), max_size=12))
def test_status_counts_whatever_the_names(entries: list[tuple[str, bytes, bytes]]) -> None:
    """Also where the old name of a renamed file looks like an entry of its own."""
    found = porcelain.status(b"".join(entry(*one) for one in entries))
    kinds = [kind for kind, _, _ in entries]
    assert found == Counts(
        staged=kinds.count("staged") + kinds.count("both") + kinds.count("renamed"),
        changed=kinds.count("changed") + kinds.count("both"),
        untracked=kinds.count("untracked"),
        conflicted=kinds.count("conflicted"),
    )


def test_a_renamed_file_whose_old_name_looks_like_an_entry() -> None:
    assert porcelain.status(entry("renamed", b"new", b"? 1 M. old")).untracked == 0


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("branch.oid (initial)", "branch.head main"), Counts(branch="main")),
        ((f"branch.oid {OID}", "branch.head (detached)"), Counts(head=OID)),
        (
            (f"branch.oid {OID}", "branch.head x", "branch.upstream origin/x", "branch.ab +3 -2"),
            Counts(head=OID, branch="x", upstream="origin/x", up_ahead=3, up_behind=2),
        ),
        (
            (f"branch.oid {OID}", "branch.head x", "branch.upstream origin/x"),
            Counts(head=OID, branch="x", upstream="origin/x", up_gone=True),
        ),
        ((f"branch.oid {OID}", "branch.head x", "stash 3", "future thing"), Counts(head=OID, branch="x")),
    ],
)
def test_status_heads(lines: tuple[str, ...], expected: Counts) -> None:
    assert porcelain.status("".join(f"# {line}\0" for line in lines).encode()) == expected


def test_config() -> None:
    data = b"core.bare\0remote.Or.igin.url\nhttps://x\0remote.Or.igin.url\nsecond\0a.b\ntwo\nlines\0c.d\n\0"
    assert porcelain.config(data) == {
        "core.bare": ["true"],
        "remote.Or.igin.url": ["https://x", "second"],
        "a.b": ["two\nlines"],
        "c.d": [""],
    }


@given(st.binary(max_size=200))
def test_nothing_that_git_might_print_breaks_it(data: bytes) -> None:
    porcelain.worktrees(data)
    porcelain.worktrees_by_line(data)
    porcelain.config(data)
