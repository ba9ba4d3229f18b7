"""`zdriver review` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.commands import Cli
from tests.integration.daemons import program
from tests.integration.git.tree import Tree
from tests.integration.reviews.conftest import MERGE, Gh, Hub, refs
from zdriver.hooks.model import FILE
from zdriver.testing import Terminal


@pytest.fixture
def here(hub: Hub) -> Path:
    """Where the command is given."""
    return hub.app.path


def test_made_brought_up_to_date_and_taken_away(cli: Cli, hub: Hub, here: Path) -> None:
    first = hub.open(123)
    before = refs(hub.app), (here / ".git" / "config").read_text()
    made = cli("review", "123", cwd=here)
    assert made.returncode == 0, made.stderr
    path = hub.folder / "app.worktrees" / "review-123"
    assert made.stdout == f"{path}\n"
    assert f"✓ review-123 is made, branch review-123 at {first[:8]}" in made.stderr
    same = cli("review", "123", cwd=path)
    assert f"is there already, and has {first[:8]}, the newest of the pull request" in same.stderr
    hub.author.commit("pr-123", "newer\n")
    newer = hub.push(123)
    updated = cli("review", "123", cwd=here)
    assert f"✓ review-123 is brought from {first[:8]} to {newer[:8]}" in updated.stderr
    own = Tree(path).commit("mine", "x\n")
    hub.author.commit("pr-123", "newest\n")
    hub.push(123)
    kept = cli("review", "123", cwd=here)
    assert kept.returncode == 0
    assert "! not brought up to date: it has 1 commit of its own" in kept.stderr
    assert Tree(path).head == own
    refused = cli("remove", "review-123", cwd=here)
    assert refused.returncode == 4
    Tree(path).git("reset", "-q", "--hard", newer)
    gone = cli("remove", "review-123", cwd=here)
    assert gone.returncode == 0, gone.stderr
    assert not path.exists()
    assert (refs(hub.app), (here / ".git" / "config").read_text()) == before
    lines = cli.data("worktree", "list", cwd=here)
    assert [each["worktree"]["name"] for each in lines] == ["trunk"]


def test_a_fork_servers_child_and_json(cli: Cli, hub: Hub, here: Path, gh: Gh) -> None:
    """With a gh on PATH: the daemon asks it with the PATH of the caller, not with its own."""
    commit = hub.open(7)
    assert cli("worktree", "list", cwd=here).returncode == 0  # the daemon is there from now on
    hub.url("https://github.com/o/r.git")
    seen = {"number": 7, "title": "Log in \x1b[31mtwice", "url": "https://github.com/o/r/pull/7"}
    seen |= {"headRefName": "user-auth", "headRefOid": commit, "state": "OPEN", "baseRefName": "main"}
    gh(f"cat <<'END'\n{json.dumps(seen)}\nEND")
    data = cli.data("review", "https://github.com/o/r/pull/7", cwd=here)
    assert (data["created"], data["forge"], data["state"]) == (True, "gh", "open")
    assert data["worktree"]["type"] == "review"
    assert data["worktree"]["pull_request"]["number"] == 7
    again = cli("review", "7", cwd=here)
    assert "Log in" in again.stderr
    assert "\x1b[31m" not in again.stderr
    assert "(open)" in again.stderr


def test_what_cannot_be_meant(cli: Cli, hub: Hub, here: Path) -> None:
    assert cli.refused("review", "nonsense", cwd=here) == (2, "invalid_input")
    assert cli.refused("review", "404", cwd=here) == (3, "not_found")
    assert cli.refused("review", "1", "--remote", "nobody", cwd=here) == (3, "not_found")
    assert cli.refused("review", "1", cwd=hub.folder) == (3, "not_found")
    assert cli.refused("review", "1", "--exec", "true", "--tab", cwd=here)[0] == 2
    hub.open(123)
    assert cli("review", "123", cwd=here).returncode == 0
    assert cli("claim", "review-123", "--agent", "bob", cwd=here).returncode == 0
    assert cli.refused("review", "123", cwd=here) == (4, "conflict")
    assert cli("review", "123", cwd=here, ZDRIVER_AGENT="bob").returncode == 0


def test_then_a_command_runs_there(cli: Cli, hub: Hub, here: Path) -> None:
    hub.open(7, ref=MERGE)
    done = cli("review", "7", "--exec", "pwd; exit 3", cwd=here)
    assert done.returncode == 3
    assert done.stdout == f"{hub.folder}/app.worktrees/review-7\n"


def test_its_hooks_are_asked_about_for_each_commit(cli: Cli, hub: Hub, here: Path) -> None:
    """They run a stranger's code: `make setup` means what the Makefile of that commit says."""
    hub.author.commit(FILE, "[hooks]\npost-create = 'touch ../ran'\n")
    hub.author.git("push", "-q", "origin", "HEAD:main")
    hub.app.git("pull", "-q")
    assert cli("worktree", "hooks", "approve", "--yes", cwd=here).returncode == 0
    ran = hub.folder / "app.worktrees" / "ran"
    hub.author.git("fetch", "-q")
    commit = hub.open(123)
    left_out = cli("review", "123", cwd=here)
    assert "the hook post-create of review-123 was left out: it has changed" in left_out.stderr
    assert not ran.exists()
    assert cli("remove", "review-123", cwd=here).returncode == 0
    argv = ["/bin/bash", "-c", '"$@"; echo "code=$?"; read -r _', "bash", *program(), "review", "123"]
    with Terminal(argv, env=cli.home.env, cwd=here) as terminal:
        shown = terminal.wait_for("very text? [y/N]", deadline=30)
        assert f"this commit of it, {commit[:8]}, and no other" in " ".join(shown.split())
        terminal.write("y\r")
        terminal.wait_for("code=0", deadline=30)
    assert ran.exists()
