"""The hot copy's decisions: whether to ask, where a context is, whose paths are meant."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.hot import SITE, a_view
from zdriver.hot.breaker import FIRST, LONGEST, Backoff, Breaker
from zdriver.hot.fields import LAYOUT_MAX, NoView, from_fields, to_fields
from zdriver.hot.model import HotView
from zdriver.hot.sites import Sites
from zdriver.hot.translating import between


def through(view: HotView) -> HotView:
    """As Redis gives it back."""
    fields = {
        name.encode(): value if isinstance(value, bytes) else value.encode()
        for name, value in to_fields(view).items()
    }
    return from_fields(view.id, fields)


def test_a_breaker_is_closed_only_while_all_is_well() -> None:
    breaker = Breaker(0.0)
    assert breaker.closed
    breaker.failed("no answer", 1.0)
    assert (breaker.closed, breaker.state, breaker.reason, breaker.since) == (False, "down", "no answer", 1.0)
    breaker.failed("still none", 2.0)
    assert (breaker.reason, breaker.since) == ("still none", 1.0)
    breaker.worked(3.0, slow="it took long")
    assert (breaker.closed, breaker.state) == (False, "slow")
    breaker.worked(4.0)
    assert (breaker.closed, breaker.state, breaker.reason, breaker.since) == (True, "ok", "", 4.0)


@given(st.lists(st.floats(0, 1), min_size=12, max_size=12))
def test_a_backoff_doubles_up_to_its_longest_and_begins_anew(chances: list[float]) -> None:
    backoff = Backoff()
    pauses = [backoff.next(chance) for chance in chances]
    wanted = [min(LONGEST, FIRST * 2**number) for number in range(12)]
    assert all(0.75 * each <= pause <= 1.25 * each for pause, each in zip(pauses, wanted, strict=True))
    backoff.reset()
    assert backoff.next(0.5) == FIRST


def test_a_site_is_the_same_for_user_remote_and_branch() -> None:
    def changed(**fields: str) -> str:
        return msgspec.structs.replace(SITE, **fields).key

    assert changed(host="two", root="/elsewhere") == SITE.key
    others = {changed(user="eve"), changed(remote="github.com/o/other"), changed(branch="fix"), SITE.key}
    assert len(others) == 4
    # Without a remote or a branch it is this root on this machine.
    assert changed(remote="") != changed(remote="", host="two")
    assert changed(branch="", root="/a") != changed(branch="", root="/b")


def test_where_a_root_is_follows_git(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *words], cwd=tmp_path / "app", check=True, capture_output=True)

    sites = Sites(user="ada", host="one")
    assert sites.of(str(tmp_path)).remote == sites.of("/nowhere").remote == ""
    (tmp_path / "app").mkdir()
    git("init", "-q", "-b", "main")
    root = str(tmp_path / "app")
    assert (sites.of(root).remote, sites.of(root).branch) == ("", "main")
    git("remote", "add", "upstream", "https://user:secret@example.org/u/app.git")
    assert sites.of(root).remote == "example.org/u/app"
    git("remote", "add", "origin", "git@example.org:o/app.git")
    git("checkout", "-q", "-b", "feat/x")
    assert (sites.of(root).remote, sites.of(root).branch) == ("example.org/o/app", "feat/x")
    git("remote", "set-url", "origin", "../app.git")  # on another machine that is something else
    assert sites.of(root).remote == ""
    git("commit", "-q", "--allow-empty", "-m", "x")
    git("worktree", "add", "-q", "../tree")
    assert sites.of(str(tmp_path / "tree")).branch == "tree"
    git("checkout", "-q", "--detach")
    assert sites.of(root).branch == ""


PATHS = between(
    ("/home/ada", "/Users/ada"), ("/home/ada/code/app", "/w/app"), ("/", "/elsewhere"), ("", "/x")
)


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("/home/ada/code/app", "/w/app"),
        ("/home/ada/code/app/src/a b", "/w/app/src/a b"),
        ("/home/ada/code/apple", "/Users/ada/code/apple"),
        ("/home/ada", "/Users/ada"),
        ("/home/adam", "/home/adam"),
        ("/etc", "/etc"),
        ("", ""),
    ],
)
def test_a_path_goes_with_its_folder(there: str, here: str) -> None:
    assert PATHS.path(there) == here


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("/home/ada/x", "/Users/ada/x"),
        ("--file=/home/ada/x", "--file=/Users/ada/x"),
        ("KEY=/home/ada/x", "KEY=/home/ada/x"),
        ("home/ada", "home/ada"),
        ("-C", "-C"),
    ],
)
def test_words_of_a_command_that_are_paths(there: str, here: str) -> None:
    assert PATHS.word(there) == here


def test_fields_read_back() -> None:
    view = a_view()
    assert through(view) == view


def test_a_layout_that_is_too_large_is_left_out_with_its_time() -> None:
    view = a_view()
    assert view.layout is not None
    large = msgspec.structs.replace(view, layout=msgspec.structs.replace(view.layout, tail="x" * LAYOUT_MAX))
    found = through(large)
    assert (found.layout, found.taken_at, found.panes) == (None, None, view.panes)


@given(
    st.dictionaries(st.sampled_from([name.encode() for name in to_fields(a_view())]), st.binary(max_size=40))
)
def test_whatever_stands_there_is_a_view_or_none(fields: dict[bytes, bytes]) -> None:
    view = a_view()
    good = {n.encode(): v if isinstance(v, bytes) else v.encode() for n, v in to_fields(view).items()}
    try:
        found = from_fields(view.id, {**good, **fields})
    except NoView:
        return
    assert through(found) == found
