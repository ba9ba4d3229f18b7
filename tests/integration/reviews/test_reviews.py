"""A pull request becomes a worktree and goes away again: by git alone, from a local bare remote."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.integration.git.tree import Tree
from tests.integration.reviews.conftest import MERGE, Hub, Site
from zdriver import Ambiguous, Conflict, InvalidInput, NotFound, Unavailable
from zdriver.hooks.model import FILE


def at(path: str) -> Tree:
    return Tree(Path(path))


def test_a_pull_request_becomes_a_worktree(site: Site) -> None:
    commit = site.hub.open(123)
    done = site.review(123)
    assert (done.created, done.updated, done.commit, done.forge) == (True, False, commit, "git")
    of = done.worktree
    assert (of.name, of.type, of.branch, of.agent) == ("review-123", "review", "review-123", "ada")
    assert of.pull_request is not None
    assert of.pull_request.number == 123
    here = at(of.path)
    assert (here.head, here.git("branch", "--show-current")) == (commit, "review-123")
    assert (here.path / "pr-123").read_text() == "new\n"
    assert here.git("status", "--porcelain") == ""
    events = [each.event.event_type for each in site.driver.events.list()]
    assert events.count("worktree.created") == 1


def test_a_merge_request_of_gitlab(site: Site) -> None:
    commit = site.hub.open(7, ref=MERGE)
    assert at(site.review(7).worktree.path).head == commit


def test_removed_it_leaves_nothing_behind(site: Site) -> None:
    site.hub.open(123)
    before, config = site.standing(), (site.hub.app.path / ".git" / "config").read_text()
    path = site.review(123).worktree.path
    site.driver.worktrees.remove("review-123", cwd=site.cwd, agent="ada")
    assert not Path(path).exists()
    assert site.standing() == before
    assert (site.hub.app.path / ".git" / "config").read_text() == config
    assert site.review(123).created  # and it can be had again


def test_commits_of_ones_own_keep_it_from_being_removed(site: Site) -> None:
    site.hub.open(123)
    here = at(site.review(123).worktree.path)
    own = here.commit("mine", "x\n")
    with pytest.raises(Conflict):
        site.driver.worktrees.remove("review-123", cwd=site.cwd, agent="ada")
    removed = site.driver.worktrees.remove("review-123", cwd=site.cwd, agent="ada", force=True)
    assert removed.kept
    back = site.driver.worktrees.recover(removed.id, cwd=site.cwd, agent="ada")
    assert at(back.worktree.path).head == own
    again = site.review(123)
    assert (again.created, again.worktree.id, again.reason) == (False, back.worktree.id, "")
    assert again.worktree.pull_request is not None


def test_again_it_is_brought_up_to_date(site: Site) -> None:
    first = site.hub.open(123)
    path = site.review(123).worktree.path
    same = site.review(123)
    assert (same.created, same.updated, same.reason) == (False, False, "")
    newer = site.hub.author.commit("pr-123", "newer\n")
    site.hub.push(123)
    done = site.review(123)
    assert (done.created, done.updated, done.before, done.commit) == (False, True, first, newer)
    assert at(path).head == newer
    assert (Path(path) / "pr-123").read_text() == "newer\n"


def test_after_a_force_push_it_follows_and_the_old_head_is_kept(site: Site) -> None:
    first = site.hub.open(123)
    here = at(site.review(123).worktree.path)
    newer = site.hub.open(123, text="rebased\n")
    done = site.review(123)
    assert (done.updated, done.before, done.commit) == (True, first, newer)
    assert here.head == newer
    assert "is kept as refs/zdriver/reviews/123/was/" in done.warnings[0]
    assert here.git("cat-file", "-t", f"refs/zdriver/reviews/123/was/{first}") == "commit"
    site.driver.worktrees.remove("review-123", cwd=site.cwd, agent="ada")
    assert "reviews" not in site.hub.app.git("for-each-ref")


@pytest.mark.parametrize("rebased", [False, True])
def test_local_commits_are_kept_and_it_says_so(site: Site, rebased: bool) -> None:
    site.hub.open(123)
    here = at(site.review(123).worktree.path)
    own = here.commit("mine", "x\n")
    ahead = site.review(123)  # nothing new there: it is ahead, and that is no trouble
    assert (ahead.updated, ahead.reason) == (False, "")
    if rebased:
        site.hub.open(123, text="rebased\n")
    else:
        site.hub.author.commit("pr-123", "newer\n")
        site.hub.push(123)
    done = site.review(123)
    assert not done.updated
    assert done.reason.startswith("it has 1 commit of its own")
    assert here.head == own


def test_uncommitted_changes_are_kept(site: Site) -> None:
    first = site.hub.open(123)
    here = at(site.review(123).worktree.path)
    here.write("pr-123", "mine\n")
    here.write("aside", "untracked\n")
    site.hub.author.commit("other", "newer\n")
    newer = site.hub.push(123)
    assert site.review(123).updated  # another file: they are not in the way
    assert (here.head, (here.path / "pr-123").read_text()) == (newer, "mine\n")
    site.hub.author.commit("pr-123", "newest\n")
    site.hub.push(123)
    done = site.review(123)
    assert (done.updated, done.before) == (False, newer)
    assert "in the way" in done.reason
    assert (here.head, (here.path / "pr-123").read_text()) == (newer, "mine\n")
    assert (here.path / "aside").read_text() == "untracked\n"
    assert first != newer


def test_another_branch_or_an_operation_under_way_in_it(site: Site) -> None:
    site.hub.open(123)
    here = at(site.review(123).worktree.path)
    here.git("checkout", "-q", "-b", "try")
    site.hub.author.commit("pr-123", "newer\n")
    site.hub.push(123)
    assert "on try now, not on review-123" in site.review(123).reason
    here.git("checkout", "-q", "review-123")
    here.commit("README", "mine\n")
    here.git("checkout", "-q", "-b", "theirs", "HEAD~1")
    here.commit("README", "theirs\n")
    here.git("checkout", "-q", "review-123")
    here.git("merge", "theirs", ok=False)
    assert "merge is under way" in site.review(123).reason


def test_an_existing_branch_is_never_moved(site: Site) -> None:
    commit = site.hub.open(123)
    app = site.hub.app
    app.git("branch", "review-123", "main")
    mine = app.git("rev-parse", "review-123")
    done = site.review(123)
    assert (done.worktree.name, done.worktree.branch) == ("review-123", "review-123-2")
    assert at(done.worktree.path).head == commit
    assert app.git("rev-parse", "review-123") == mine
    assert done.warnings
    site.driver.worktrees.remove("review-123", cwd=site.cwd, agent="ada")
    assert app.git("rev-parse", "review-123") == mine


def test_one_that_does_not_exist(site: Site) -> None:
    said = site.refused(404, NotFound)
    assert "no pull request 404" in said.message
    site.hub.open(123)
    site.review(123)
    site.hub.bare.git("update-ref", "-d", "refs/pull/123/head")
    gone = site.refused(123, NotFound)
    assert gone.message.endswith("review-123 stays as it is")


def test_no_remote_none_of_that_name_and_one_that_is_gone(site: Site) -> None:
    site.hub.open(123)
    assert "there are: origin" in site.refused(123, NotFound, remote="upstream").hint
    hidden = site.hub.folder / "away.git"
    shutil.move(site.hub.bare.path, hidden)
    site.refused(123, Unavailable)
    shutil.move(hidden, site.hub.bare.path)
    assert site.review(123).created
    site.hub.app.git("remote", "remove", "origin")
    assert "no remote" in site.refused(124, NotFound).message


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**70, "", "x", "123x", "-1", "https://example.org/o/r"])
def test_what_is_no_number(site: Site, number: int | str) -> None:
    site.refused(number, InvalidInput)


def test_upstream_is_asked_before_origin_and_others_have_to_be_named(site: Site) -> None:
    site.hub.open(123)
    upstream = site.hub.remote("upstream")
    upstream.git("update-ref", "refs/pull/123/head", "main")
    assert site.review(123).commit == upstream.git("rev-parse", "main")
    site.hub.open(5)  # upstream has none of that number
    assert at(site.review(5).worktree.path).path.joinpath("pr-5").exists()
    site.hub.app.git("remote", "rename", "origin", "one")
    site.hub.app.git("remote", "rename", "upstream", "two")
    assert "--remote one" in site.refused(6, Ambiguous).hint


def test_a_review_is_never_moved_to_the_pull_request_of_another_remote(site: Site) -> None:
    """Both have a number 123. Once known, the same is asked; the other is refused."""
    commit = site.hub.open(123)
    assert site.review(123).commit == commit
    upstream = site.hub.remote("upstream")
    upstream.git("update-ref", "refs/pull/123/head", "main")
    again = site.review(123)
    assert (again.commit, again.updated, again.reason) == (commit, False, "")
    said = site.refused(123, Conflict, remote="upstream")
    assert "of origin, not of upstream" in said.message
    site.driver.worktrees.remove("review-123", cwd=site.cwd, agent="ada")
    assert site.review(123, remote="upstream").commit == upstream.git("rev-parse", "main")


def test_by_the_url_of_its_page(site: Site) -> None:
    commit = site.hub.open(123)
    site.hub.open(7, ref=MERGE)
    said = site.refused("https://github.com/o/r/pull/123", NotFound)
    assert "git remote add NAME https://github.com/o/r" in said.hint
    site.hub.url("git@github.com:O/R.git")
    done = site.review("https://github.com/o/r/pull/123/files?diff=split#top")
    assert done.commit == commit
    assert done.worktree.pull_request is not None
    assert done.worktree.pull_request.url == "https://github.com/O/R/pull/123"
    site.refused("https://github.com/other/r/pull/123", NotFound)
    site.hub.url("https://gitlab.example.org/group/sub/r.git")
    assert site.review("https://gitlab.example.org/group/sub/r/-/merge_requests/7/diffs").created
    assert not site.review("#123").created


def test_a_claim_of_another_is_respected(site: Site) -> None:
    first = site.hub.open(123)
    here = at(site.review(123).worktree.path)
    site.driver.claims.claim("review-123", cwd=site.cwd, agent="bob")
    site.hub.author.commit("pr-123", "newer\n")
    site.hub.push(123)
    assert "bob" in site.refused(123, Conflict).message
    assert here.head == first
    assert site.review(123, agent="bob").updated


@pytest.mark.parametrize("where", [".husky", "~/hooks"])
def test_hooks_of_git_that_come_with_the_commits_do_not_run(
    site: Site, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """With a relative core.hooksPath they are the stranger's; elsewhere they are one's own."""
    site.hub.app.git("config", "core.hooksPath", where)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")  # the caller's own are kept
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.name")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "Bob")
    author, ran = site.hub.author, site.hub.folder / "ran"
    author.git("checkout", "-q", "--detach", "origin/main")
    own = Tree(site.hub.folder)
    for name in ("post-checkout", "post-merge"):
        for tree, folder in ((author, ".husky"), (own, "hooks")):
            tree.write(f"{folder}/{name}", f"#!/bin/sh\necho {folder} >> {ran}\n").chmod(0o755)
        author.git("add", f".husky/{name}")
    author.git("commit", "-q", "-m", "hooks")
    site.hub.push(123)
    site.review(123)
    author.commit("more", "x\n")
    site.hub.push(123)
    assert site.review(123).updated
    removed = site.driver.worktrees.remove("review-123", cwd=site.cwd)
    site.driver.worktrees.recover(removed.id, cwd=site.cwd)
    assert (ran.read_text() if ran.exists() else "") == ("" if where == ".husky" else "hooks\n" * 3)


def test_what_is_copied_is_for_the_trunk_to_say(site: Site) -> None:
    """A pull request must not choose which of the reviewer's files it sees."""
    site.hub.author.commit(FILE, "copy = ['mine.env']\n")
    site.hub.author.git("push", "-q", "origin", "HEAD:main")
    site.hub.author.git("fetch", "-q")
    site.hub.app.git("pull", "-q")
    for name in ("mine.env", "secret.env"):
        site.hub.app.write(name, "x\n")
    site.hub.author.git("checkout", "-q", "--detach", "origin/main")
    site.hub.author.commit(FILE, "copy = ['secret.env']\n")
    site.hub.push(123)
    path = Path(site.review(123).worktree.path)
    assert (path / "mine.env").exists()
    assert not (path / "secret.env").exists()


def test_two_at_once_make_one(site: Site) -> None:
    from concurrent.futures import ThreadPoolExecutor

    commit = site.hub.open(123)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda n: site.review(123, agent=f"a{n}"), range(4)))
    assert sum(each.created for each in done) == 1
    assert {each.worktree.id for each in done} == {done[0].worktree.id}
    assert at(done[0].worktree.path).head == commit


def test_a_worktree_of_that_name_that_is_no_review(site: Site) -> None:
    site.hub.open(123)
    site.hub.app.git("worktree", "add", "-q", "-b", "own", str(site.hub.folder / "app.worktrees/review-123"))
    site.driver.worktrees.adopt(str(site.hub.folder / "app.worktrees/review-123"), cwd=site.cwd, agent="ada")
    said = site.refused(123, Conflict)
    assert "no review of 123" in said.message


def test_deleted_by_hand_it_is_made_again(site: Site) -> None:
    commit = site.hub.open(123)
    path = site.review(123).worktree.path
    shutil.rmtree(path)
    done = site.review(123)
    assert at(done.worktree.path).head == commit


def test_from_a_bare_clone_and_from_inside_of_a_review(site: Site, hub: Hub) -> None:
    commit = hub.open(123)
    bare = Tree(hub.folder / "bare" / "app.git")
    bare.path.parent.mkdir()
    hub.bare.git("clone", "-q", "--bare", str(hub.bare), str(bare))
    done = site.driver.reviews.review(123, cwd=str(bare), agent="ada")
    assert at(done.worktree.path).head == commit
    assert not site.driver.reviews.review("!123", cwd=done.worktree.path, agent="ada").created


def test_in_a_shallow_clone(site: Site, hub: Hub) -> None:
    """How commits are related cannot always be seen there: what is only here is kept all the same."""
    for number in range(3):
        hub.author.commit("README", f"{number}\n")
    hub.author.git("push", "-q", "origin", "HEAD:main")
    hub.author.git("fetch", "-q")
    first = hub.open(123)
    app = Tree(hub.folder / "shallow")
    hub.bare.git("clone", "-q", "--depth=1", f"file://{hub.bare}", str(app))
    assert site.driver.reviews.review(123, cwd=str(app), agent="ada").commit == first
    hub.author.commit("pr-123", "newer\n")
    newer = hub.push(123)
    done = site.driver.reviews.review(123, cwd=str(app), agent="ada")
    assert (done.updated, at(done.worktree.path).head) == (True, newer)
    own = at(done.worktree.path).commit("mine", "x\n")
    hub.open(123, text="rebased\n")
    assert not site.driver.reviews.review(123, cwd=str(app), agent="ada").updated
    assert at(done.worktree.path).head == own
