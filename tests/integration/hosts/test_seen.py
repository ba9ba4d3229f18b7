"""What is done on one machine is seen on the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.integration.hosts.machines import Machine
from zdriver.testing import until


def beside_trunk(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if not line["worktree"]["trunk"]]


def test_worktrees_claims_and_history_of_the_other(two: tuple[Machine, Machine]) -> None:
    a, b = two
    there = Path(a.data("feat", "user-auth")["worktree"]["path"])
    assert a.data("claim", "feat-user-auth", "--agent", "claude-1")["token"] == 1
    assert a.run("intent", "Log users in by passkey", cwd=there).returncode == 0
    assert a.run("milestone", "Schema migrated", cwd=there).returncode == 0

    assert beside_trunk(b.data("worktree", "list")) == []
    (line,) = beside_trunk(b.data("worktree", "list", "--all-hosts"))
    assert (line["worktree"]["path"], line["claim"]["agent"], line["intent"]) == (
        str(there), "claude-1", "Log users in by passkey",
    )  # fmt: skip
    (claim,) = b.data("claims")
    assert (claim["worktree"], claim["agent"], claim["path"]) == ("feat-user-auth", "claude-1", str(there))
    assert claim["hostname"] == line["host"] != ""
    texts = [entry["text"] for entry in b.data("history")]
    assert texts == ["Schema migrated", "Log users in by passkey"]
    types = ["worktree.created", "worktree.claimed"]
    # Not before every older transaction on that server has ended: a daemon may be at something of its own.
    until(lambda: event_types(b, "worktree.*") == types, what="the events of the other")


def event_types(machine: Machine, pattern: str) -> list[str]:
    found = machine.data("events", "list", "--type", pattern)
    return [each["event"]["event_type"] for each in found]


def test_a_worktree_of_the_same_name_is_the_same_work(two: tuple[Machine, Machine]) -> None:
    a, b = two
    a.data("feat", "user-auth")
    a.data("claim", "feat-user-auth", "--agent", "claude-1")
    made = b.run("feat", "user-auth")
    assert made.returncode == 0, made.stderr
    assert "feat-user-auth is on" in made.stderr
    assert "held by claude-1" in made.stderr
    refused = b.run("claim", "feat-user-auth", "--agent", "claude-2")
    assert refused.returncode == 4
    assert "feat-user-auth is held by claude-1 on" in refused.stderr
    (line,) = beside_trunk(b.data("worktree", "list"))
    assert line["claim"]["agent"] == "claude-1", "the list of B says it as well"
    assert b.run("remove", "feat-user-auth", ZDRIVER_AGENT="claude-2").returncode == 4

    a.data("release", "feat-user-auth", "--agent", "claude-1")
    claimed = b.data("claim", "feat-user-auth", "--agent", "claude-2")
    assert (claimed["token"], claimed["path"]) == (2, line["worktree"]["path"]), "tokens go on"
    assert a.run("claim", "feat-user-auth", "--agent", "claude-1").returncode == 4
    assert [each["token"] for each in a.data("claims", "feat-user-auth", "--all")] == [2, 1]


def test_what_only_the_other_has_is_claimed_there(two: tuple[Machine, Machine]) -> None:
    a, b = two
    there = a.data("feat", "user-auth")["worktree"]["path"]
    claimed = b.data("claim", "user-auth", "--agent", "claude-2")
    assert (claimed["path"], claimed["token"]) == (there, 1)
    assert a.run("claim", "feat-user-auth", "--agent", "claude-1").returncode == 4
    missing = b.run("worktree", "path", "user-auth")
    assert missing.returncode == 3
    assert "feat-user-auth is on" in missing.stderr
    assert "--all-hosts" in missing.stderr
    b.data("release", "feat-user-auth", "--agent", "claude-2")


def test_a_claim_goes_along_with_its_agent(two: tuple[Machine, Machine]) -> None:
    a, b = two
    a.data("feat", "user-auth")
    here = b.data("feat", "user-auth")["worktree"]["path"]
    a.data("claim", "feat-user-auth", "--agent", "human:ada")
    again = b.data("claim", "feat-user-auth", "--agent", "human:ada")
    assert (again["again"], again["path"], again["token"]) == (True, here, 1)
    assert a.run("remove", "feat-user-auth", ZDRIVER_AGENT="human:ada").returncode == 0
    (claim,) = b.data("claims")
    assert claim["path"] == here, "what was removed elsewhere ends nothing here"


def test_removed_and_made_anew_its_tokens_go_on(two: tuple[Machine, Machine]) -> None:
    a, b = two
    a.data("feat", "user-auth")
    for token in (1, 2):
        assert a.data("claim", "feat-user-auth", "--agent", "claude-1")["token"] == token
        a.data("release", "feat-user-auth", "--agent", "claude-1")
    assert a.run("remove", "feat-user-auth").returncode == 0
    b.data("feat", "user-auth")
    assert b.data("claim", "feat-user-auth", "--agent", "claude-2")["token"] == 3


def test_other_repositories_and_clones_without_a_remote_stand_alone(two: tuple[Machine, Machine]) -> None:
    a, b = two
    for machine in two:
        machine.git("init", "-q", "-b", "main", "../alone/main")
        machine.git("commit", "-q", "--allow-empty", "-m", "x", cwd=machine.home.path / "shop/alone/main")
    tokens = [
        machine.data("claim", "feat-x", "--agent", f"on-{machine.name}", cwd=alone)["token"]
        for machine, alone in ((each, each.home.path / "shop" / "alone" / "main") for each in two)
        if machine.data("feat", "x", cwd=alone)
    ]
    assert tokens == [1, 1]
    assert len(a.data("claims")) == 2
    lines = b.data("worktree", "list", "--all-hosts", cwd=b.home.path / "shop" / "alone" / "main")
    assert {line["host"] for line in lines} == {""}
