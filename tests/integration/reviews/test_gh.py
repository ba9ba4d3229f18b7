"""GitHub asked through `gh`: what it knows is used, and without it git alone does."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.integration.git.tree import Tree
from tests.integration.reviews.conftest import Gh, Hub, Site
from zdriver import NotFound, Unavailable
from zdriver.forges.gh import FIELDS
from zdriver.forges.gh import Gh as GhForge
from zdriver.forges.model import Place
from zdriver.testing import processes, until

_URL = "https://github.com/o/r/pull/123"


def says(commit: str, **more: object) -> str:
    """A script that prints what `gh pr view --json` prints."""
    seen = {
        "number": 123,
        "title": "Log in twice",
        "url": _URL,
        "headRefName": "user-auth",
        "headRefOid": commit,
        "headRepository": {"id": "R_1", "name": "r"},
        "headRepositoryOwner": {"id": "U_1", "login": "bob"},
        "isCrossRepository": True,
        "baseRefName": "main",
        "state": "OPEN",
        **more,
    }
    return f"cat <<'END'\n{json.dumps(seen)}\nEND"


@pytest.fixture(autouse=True)
def on_github(hub: Hub) -> None:
    hub.url("https://github.com/o/r.git")


def test_title_branch_and_state_are_what_gh_says(site: Site, gh: Gh) -> None:
    commit = site.hub.open(123)
    asked = gh(says(commit))
    done = site.review(123)
    assert asked.read_text() == f"pr view 123 --repo github.com/o/r --json {FIELDS}\n"
    assert (done.forge, done.state, done.warnings) == ("gh", "open", ())
    assert done.worktree.branch == "user-auth"
    pull = done.worktree.pull_request
    assert pull is not None
    assert (pull.number, pull.title, pull.url) == (123, "Log in twice", _URL)
    gh(says(commit, title="Log in once", state="MERGED"))
    again = site.review(_URL)
    assert again.state == "merged"
    (line,) = (each for each in site.driver.worktrees.list(cwd=site.cwd) if each.worktree.type == "review")
    assert line.worktree.pull_request is not None
    assert line.worktree.pull_request.title == "Log in once"
    site.driver.worktrees.remove("review-123", cwd=site.cwd, agent="ada")
    assert "user-auth" not in site.hub.app.git("branch", "--list")


def test_a_branch_of_the_same_repository_is_tracked(site: Site, gh: Gh) -> None:
    """So that `git push` and `git pull` mean it; and all that goes when the review goes."""
    commit = site.hub.open(123, branch="user-auth")
    gh(says(commit, isCrossRepository=False))
    config = (site.hub.app.path / ".git" / "config").read_text()
    here = Tree(Path(site.review(123).worktree.path))
    assert here.git("rev-parse", "--abbrev-ref", "@{upstream}") == "origin/user-auth"
    site.driver.worktrees.remove("review-123", cwd=site.cwd, agent="ada")
    assert (site.hub.app.path / ".git" / "config").read_text() == config
    assert site.hub.bare.git("rev-parse", "user-auth") == commit


@pytest.mark.parametrize(
    ("fork", "known", "found"), [(False, False, True), (True, True, True), (True, False, False)]
)
def test_a_mirror_without_refs_of_pull_requests(
    site: Site, gh: Gh, fork: bool, known: bool, found: bool
) -> None:
    """Its branch does, if it is sure to be that one."""
    commit = site.hub.open(123, branch="user-auth")
    site.hub.bare.git("update-ref", "-d", "refs/pull/123/head")
    gh(says(commit if known else "", isCrossRepository=fork))
    if found:
        assert Tree(Path(site.review(123).worktree.path)).head == commit
    else:
        site.refused(123, NotFound)


def test_a_branch_of_a_fork_that_is_called_as_one_here(site: Site, gh: Gh) -> None:
    commit = site.hub.open(123)
    main = site.hub.app.git("rev-parse", "main")
    gh(says(commit, headRefName="main"))
    done = site.review(123)
    assert done.worktree.branch == "review-123"
    assert "branch main is checked out at" in done.warnings[0]
    assert site.hub.app.git("rev-parse", "main") == main


def test_a_branch_name_beside_which_git_has_no_room(site: Site, gh: Gh) -> None:
    """git keeps branches as files: `user-auth` and `user-auth/deep` cannot both be."""
    commit = site.hub.open(123)
    site.hub.app.git("branch", "user-auth/deep")
    gh(says(commit))
    assert site.review(123).worktree.branch == "review-123"


@pytest.mark.parametrize("name", ["-x", "../x", "a b", "x.lock", "@{-1}", "\x1b[31m", "refs/heads/x", ""])
def test_a_branch_name_that_is_none(site: Site, gh: Gh, name: str) -> None:
    commit = site.hub.open(123)
    gh(says(commit, headRefName=name))
    done = site.review(123)
    assert Tree(Path(done.worktree.path)).head == commit


def test_texts_of_a_stranger_cannot_move_the_cursor(site: Site, gh: Gh) -> None:
    commit = site.hub.open(123)
    hidden = "\x1b]0;x\x07 \u202egpj.exe " + "x" * 5000
    gh(says(commit, title=hidden, url="javascript:alert(1)"))
    pull = site.review(123).worktree.pull_request
    assert pull is not None
    assert pull.title.isprintable()
    assert len(pull.title) <= 300
    assert pull.url == ""


_OLD = """echo 'Unknown JSON field: "headRefOid"' >&2; exit 1"""
_OUT = "echo 'To get started with GitHub CLI, please run:  gh auth login' >&2; exit 4"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (_OUT, "gh is not logged in (gh auth login)"),
        ("echo 'HTTP 401: Bad credentials (https://api.github.com/graphql)' >&2; exit 1", "not logged in"),
        (_OLD, "Unknown JSON field"),
        ("echo 'unknown flag: --json' >&2; exit 1", "unknown flag: --json"),
        ("echo 'error connecting to api.github.com' >&2; exit 1", "error connecting"),
        ("echo not json", "what gh says is not understood"),
        ("exit 3", "no reason given"),
        ("kill -9 $$", "gh: "),
    ],
)
def test_when_gh_cannot_say_git_does(site: Site, gh: Gh, script: str, said: str) -> None:
    commit = site.hub.open(123)
    gh(script)
    done = site.review(123)
    assert (done.forge, done.commit, done.worktree.branch) == ("git", commit, "review-123")
    assert said in done.warnings[0]
    assert "asked git instead" in done.warnings[0]


def test_when_gh_cannot_be_started(site: Site, gh: Gh, hub: Hub) -> None:
    site.hub.open(123)
    gh("exit 0")
    (hub.folder / "gh" / "gh").write_text("no program\n")
    assert "gh cannot be started" in site.review(123).warnings[0]


def test_without_gh_nobody_misses_it(site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import shutil

    git = shutil.which("git")
    assert git is not None
    (tmp_path / "git").symlink_to(git)
    monkeypatch.setenv("PATH", str(tmp_path))
    site.hub.open(123)
    done = site.review(123)
    assert (done.forge, done.warnings) == ("git", ())


def test_one_that_gh_says_does_not_exist(site: Site, gh: Gh) -> None:
    gh(
        "echo 'GraphQL: Could not resolve to a PullRequest with the number of 404. "
        "(repository.pullRequest)' >&2; exit 1"
    )
    assert site.refused(404, NotFound).message == "github.com/o/r has no pull request 404"


def test_a_number_that_nobody_has_while_gh_is_logged_out_names_both(site: Site, gh: Gh) -> None:
    gh(_OUT)
    said = site.refused(404, NotFound)
    assert "no pull request 404" in said.message
    assert said.hint == "gh auth login"


def test_a_remote_that_is_not_github_is_left_to_git(site: Site, gh: Gh) -> None:
    """Of such only gh knows whether it is one of its hosts: it is asked without a name, and may not know."""
    commit = site.hub.open(123)
    site.hub.url("https://git.example.org/o/r.git")
    asked = gh("echo 'none of the git remotes point to a known GitHub host' >&2; exit 1")
    done = site.review(123)
    assert (done.forge, done.commit, done.warnings) == ("git", commit, ())
    assert "--repo" not in asked.read_text()


def place(hub: Hub) -> Place:
    app = hub.app
    return Place(
        git_dir=app.git_dir, folder=str(app), remote="origin", remote_url="", environ=dict(os.environ)
    )


def unanswered(hub: Hub, *, patience: float, until_there: str) -> int:
    """The pid in the file `sleeping`, once gh, which was asked with so little patience (seconds), got as far
    as to write `until_there`: on a slow machine it is asked again.
    """
    forge = GhForge(str(hub.folder / "gh" / "gh"), "github.com/o/r", patience=patience)
    sleeping = hub.app.path / "sleeping"

    def asked() -> str:
        with pytest.raises(Unavailable, match=f"gh did not answer in {patience:g} s"):
            forge.request(1, place(hub))
        there = (hub.app.path / until_there).exists()
        return sleeping.read_text().strip() if there and sleeping.exists() else ""

    return int(until(asked, what=f"a gh that has begun and made {until_there}", deadline=60))


def test_one_that_hangs_is_ended_with_all_it_started(hub: Hub, gh: Gh) -> None:
    asked = gh("sleep 1000 & echo $! > sleeping; wait")
    pid = unanswered(hub, patience=1.0, until_there="sleeping")
    assert asked.exists()
    until(lambda: not processes.alive(pid), what="the end of what it started", deadline=30)


def test_one_that_leaves_something_with_its_pipes_is_not_waited_for(hub: Hub, gh: Gh) -> None:
    """It went into a session of its own, so ending gh's group does not reach it."""
    left = f'{sys.executable} -c \'import os, time; os.setsid(); open("left", "w"); time.sleep(60)\' &'
    gh(left + " echo $! > sleeping; while ! [ -e left ]; do sleep 0.02; done; sleep 60")
    os.kill(unanswered(hub, patience=2.0, until_there="left"), 9)
