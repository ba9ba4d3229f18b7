"""`zdriver import imi`: what iMi knows is taken over; nothing of it is changed, whatever state it is in."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

import zdriver
from tests.integration.commands import Cli
from zdriver.testing import Home

#: As iMi 0.1 makes it (its src/database.rs); `worktree_types` came later.
SCHEMA = """
CREATE TABLE repositories (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, path TEXT NOT NULL,
    remote_url TEXT NOT NULL, default_branch TEXT NOT NULL DEFAULT 'main', created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL, active BOOLEAN NOT NULL DEFAULT TRUE);
CREATE TABLE worktree_types (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, branch_prefix TEXT,
    worktree_prefix TEXT, description TEXT, is_builtin BOOLEAN NOT NULL DEFAULT FALSE);
CREATE TABLE worktrees (id TEXT PRIMARY KEY, repo_name TEXT NOT NULL, worktree_name TEXT NOT NULL,
    branch_name TEXT NOT NULL, worktree_type TEXT NOT NULL, path TEXT NOT NULL, created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL, active BOOLEAN NOT NULL DEFAULT TRUE, agent_id TEXT,
    FOREIGN KEY (repo_name) REFERENCES repositories (name), UNIQUE (repo_name, worktree_name));
CREATE TABLE agent_activities (id TEXT PRIMARY KEY, agent_id TEXT NOT NULL, worktree_id TEXT NOT NULL,
    activity_type TEXT NOT NULL, file_path TEXT, description TEXT NOT NULL, created_at TEXT NOT NULL);
"""
MADE = "2025-03-04T05:06:07.123456789+00:00"
USED = "2025-05-06T07:08:09+00:00"


class Imi:
    """iMi's database and a container of it with real worktrees."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.container = home.path / "code" / "app"
        self.trunk = self.container / "trunk-main"
        self.trunk.mkdir(parents=True)
        self.database = home.path / ".config" / "iMi" / "iMi.db"
        self.database.parent.mkdir(parents=True, exist_ok=True)
        self._git("init", "-q", "-b", "main")
        self._git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x")
        self.connection = apsw.Connection(str(self.database))
        for statement in SCHEMA.split(";"):
            self.connection.execute(statement)
        self.add(
            "repositories", id="r", name="app", path=str(self.trunk), remote_url="",
            default_branch="main", created_at=MADE, updated_at=USED,
        )  # fmt: skip
        self.tree("trunk-main", "trunk", "main")

    def _git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.trunk, env=self.home.env, check=True, capture_output=True)

    def add(self, table: str, **row: Any) -> None:
        marks = ", ".join(f":{name}" for name in row)
        self.connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row)

    def tree(self, name: str, type_: str, branch: str, *, there: bool = True, **more: Any) -> Path:
        """A row, and a worktree of git's for it."""
        path = self.container / name
        if there and not path.exists():
            self._git("worktree", "add", "-q", "-b", branch, str(path))
        row = {"id": f"id-{name}", "repo_name": "app", "worktree_name": name, "branch_name": branch}
        row |= {"worktree_type": type_, "path": str(path), "created_at": MADE, "updated_at": USED}
        self.add("worktrees", **row, **more)
        return path

    def activity(self, name: str, type_: str, description: str, number: int) -> None:
        self.add(
            "agent_activities", id=f"a{number}", agent_id="claude-1", worktree_id=f"id-{name}",
            activity_type=type_, description=description, created_at=f"2025-05-0{number}T00:00:00+00:00",
            file_path="src/a.py",
        )  # fmt: skip

    def present(self, name: str, content: str) -> None:
        folder = self.container / ".iMi" / "presence"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.lock").write_text(content)

    def files(self) -> dict[str, bytes]:
        """Every file of iMi's, and what is in it."""
        folders = (self.database.parent, self.container / ".iMi")
        return {str(each): each.read_bytes() for top in folders for each in top.rglob("*") if each.is_file()}


@pytest.fixture
def imi(home: Home) -> Iterator[Imi]:
    made = Imi(home)
    yield made
    made.connection.close()


def _by_name(imported: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in imported["worktrees"]}


def _unread(imported: dict[str, Any]) -> str:
    return "\n".join(f"{each['what']}: {each['reason']}" for each in imported["unread"])


def test_worktrees_with_type_branch_base_and_times(imi: Imi, cli: Cli) -> None:
    imi.tree("feat-login", "feat", "feature/login", agent_id="claude-1")
    imi.tree("pr-42", "pr", "pr-42")
    imi.tree("spike-x", "spike", "spike/x")
    imi.tree("odd", "What Is This?", "odd")
    imi.tree("fix-gone", "fix", "fix/gone", there=False)
    imi.tree("fix-closed", "fix", "fix/closed", there=False, active=0)
    imi.add("worktree_types", id=9, name="spike", description="to try something")
    for number, (type_, text) in enumerate(
        (("created", "file"), ("committed", "Login form"), ("pushed", "Login form again")), 1
    ):
        imi.activity("feat-login", type_, text, number)
    before = imi.files()
    planned = cli.data("import", "imi", "--dry-run")
    assert cli.data("events", "list") == [], "a dry run changes nothing"
    done = cli.data("import", "imi")
    assert {**done, "dry_run": True} == planned
    assert imi.files() == before

    taken = _by_name(done)
    assert {name: each["type"] for name, each in taken.items()} == {
        "feat-login": "feat", "pr-42": "review", "spike-x": "spike", "odd": "other",
    }  # fmt: skip
    assert done["types"] == ["spike"]
    assert taken["feat-login"]["milestones"] == 2
    assert _unread(done) == f"{imi.container / 'fix-gone'}: its folder is gone"
    with zdriver.connect() as driver:
        shown = driver.worktrees.show("feat-login", cwd=str(imi.trunk)).worktree
        assert (shown.branch, shown.base, shown.agent) == ("feature/login", "main", "claude-1")
        assert shown.created_at == datetime(2025, 3, 4, 5, 6, 7, 123456, tzinfo=UTC)
        assert shown.used_at == datetime(2025, 5, 6, 7, 8, 9, tzinfo=UTC)
        review = driver.worktrees.show("pr-42", cwd=str(imi.trunk)).worktree
        assert review.pull_request is not None
        assert review.pull_request.number == 42
        texts = [entry.text for entry in driver.context.history("login")]
        assert texts == ["pushed: Login form again", "committed: Login form"]
        assert driver.claims.list(cwd=str(imi.trunk)) == ()

    events = cli.data("events", "list")
    again = cli.data("import", "imi", str(imi.database.parent))
    assert again["worktrees"] == []
    assert again["known"] == len(taken) + 1, "the trunk, too"
    assert cli.data("events", "list") == events, "twice changes nothing"


def test_who_is_at_work_holds_it(imi: Imi, cli: Cli) -> None:
    now = datetime.now(UTC)
    present = {
        "feat-a": json.dumps({"agent_id": "claude-1", "claimed_at": now.isoformat(), "hostname": ""}),
        "feat-b": "claude-2\n",
        "feat-c": json.dumps({"agent_id": "old", "claimed_at": (now - timedelta(days=2)).isoformat()}),
        "feat-d": json.dumps({"agent_id": "far", "claimed_at": now.isoformat(), "hostname": "elsewhere"}),
        "feat-e": "{broken",
        "feat-f": json.dumps({
            "agent_id": "claude-6", "claimed_at": now.isoformat(), "hostname": socket.gethostname(),
        }),
    }  # fmt: skip
    for name, content in present.items():
        imi.tree(name, "feat", name)
        imi.present(name, content)
    done = cli.data("import", "imi")
    held = {name for name, each in _by_name(done).items() if each["claimed"]}
    assert held == {"feat-a", "feat-b", "feat-f"}
    assert "feat-e.lock" in _unread(done)
    claims = cli.data("claims")
    assert {each["worktree"]: each["agent"] for each in claims} == {
        "feat-a": "claude-1", "feat-b": "claude-2", "feat-f": "claude-6",
    }  # fmt: skip
    assert cli.data("import", "imi")["worktrees"] == []
    assert cli.data("claims") == claims


def test_a_container_without_a_database(imi: Imi, cli: Cli) -> None:
    imi.tree("feat-a", "feat", "feat-a")
    imi.database.unlink()
    registry = imi.container / ".iMi" / "registry.toml"
    registry.parent.mkdir()
    registry.write_text(
        f'[worktrees.feat-a]\ntype = "feat"\ncreated_at = "{MADE}"\nagent_owner = "claude-1"\n'
        '[worktrees.feat-b]\ntype = "feat"\n[worktrees."../escape"]\ntype = "feat"\n'
    )
    done = cli.data("import", "imi", str(imi.container))
    assert list(_by_name(done)) == ["feat-a"]
    assert done["worktrees"][0]["agent"] == "claude-1"
    assert "feat-b: its folder is gone" in _unread(done)
    assert "../escape" in _unread(done)
    registry.write_text("[worktrees\n")
    assert "registry.toml" in _unread(cli.data("import", "imi", str(imi.container)))


def test_what_it_has_not_moved_into_its_database_yet_counts(imi: Imi, cli: Cli) -> None:
    """iMi runs, and its newest rows are in the log beside the database."""
    imi.connection.execute("PRAGMA journal_mode = WAL").fetchall()
    imi.tree("feat-a", "feat", "feat-a")
    before = imi.files()
    assert str(imi.database) + "-wal" in before
    assert list(_by_name(cli.data("import", "imi"))) == ["feat-a"]
    assert imi.files() == before


def test_a_damaged_database_gives_what_is_readable(imi: Imi, cli: Cli) -> None:
    imi.tree("feat-a", "feat", "feat-a")
    for number in range(300):
        imi.tree(f"fix-{number}", "fix", f"fix-{number}", there=False, agent_id="x" * 100)
    imi.tree("feat-z", "feat", "feat-z")
    pages = imi.connection.execute(
        "SELECT pageno FROM dbstat WHERE name = 'worktrees' AND pagetype = 'leaf' ORDER BY path"
    ).fetchall()
    size = int(imi.connection.execute("PRAGMA page_size").get)
    imi.connection.close()
    assert len(pages) > 4
    with imi.database.open("r+b") as file:
        file.seek((int(str(pages[len(pages) // 2][0])) - 1) * size)
        file.write(b"\xff" * size)
    before = imi.files()
    done = cli.data("import", "imi")
    assert set(_by_name(done)) == {"feat-a", "feat-z"}, "from both ends"
    assert "the table worktrees: it is damaged" in _unread(done)
    assert imi.files() == before


def test_rows_that_make_no_sense_are_listed(imi: Imi, cli: Cli) -> None:
    imi.tree("feat-a", "feat", "feat-a")
    imi.tree("relative", "feat", "b", there=False)
    imi.connection.execute("UPDATE worktrees SET path = 'not/absolute' WHERE worktree_name = 'relative'")
    imi.add("worktrees", id="blob", repo_name="app", worktree_name=b"\xff\xfe", branch_name="b",
            worktree_type="feat", path=b"\x00", created_at="yesterday", updated_at="")  # fmt: skip
    (imi.container / "plain").mkdir()
    imi.tree("plain", "feat", "plain", there=False)
    imi.tree("feat-b", "feat", "feat-b")
    imi.connection.execute("UPDATE worktrees SET created_at = 'yesterday' WHERE worktree_name = 'feat-b'")
    imi.add("worktrees", id="utf", repo_name="app", worktree_name="u", branch_name="b", worktree_type="feat",
            path="/u", created_at="", updated_at="")  # fmt: skip
    imi.connection.execute("UPDATE worktrees SET branch_name = CAST(x'ff41' AS TEXT) WHERE id = 'utf'")
    presence = imi.container / ".iMi" / "presence"
    presence.mkdir(parents=True)
    os.mkfifo(presence / "feat-a.lock")
    done = cli.data("import", "imi")
    assert set(_by_name(done)) == {"feat-a", "feat-b"}
    said = _unread(done)
    assert "a row of worktrees: it is not valid UTF-8" in said
    assert "feat-a.lock: it is no file" in said
    assert "not/absolute: its path is not absolute" in said
    assert "worktrees, row 4" in said
    assert f"{imi.container / 'plain'}: it is not the top of a git worktree" in said


def test_of_another_version(imi: Imi, cli: Cli) -> None:
    imi.connection.execute("ALTER TABLE worktrees RENAME COLUMN path TO location")
    done = cli.data("import", "imi")
    assert done["worktrees"] == []
    assert "no column path: iMi of another version" in _unread(done)
    imi.connection.execute("DROP TABLE worktrees")
    assert cli.refused("import", "imi") == (2, "invalid_input")


def test_what_is_not_there_or_not_of_imi(home: Home, cli: Cli) -> None:
    assert cli.refused("import", "imi") == (3, "not_found")
    assert cli.refused("import", "imi", "/" + "n" * 300) == (2, "invalid_input")
    assert cli.refused("import", "imi", "/nowhere/iMi.db") == (3, "not_found")
    (home.path / "text.db").write_text("no database at all, " * 100)
    assert cli.refused("import", "imi", "text.db") == (2, "invalid_input")
    (home.path / "empty.db").touch()
    assert cli.refused("import", "imi", "empty.db") == (2, "invalid_input")
    words = cli("import", "imi", "text.db").stderr
    assert "is no SQLite database" in words


def test_in_words(imi: Imi, cli: Cli) -> None:
    imi.tree("feat-a", "feat", "feat-a", agent_id="claude-1")
    imi.tree("fix-b", "fix", "fix-b", there=False)
    done = cli("import", "imi")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "✓ 1 worktree taken over, 1 worktree known already, 1 not"
    assert "feat-a" in done.stdout
    assert "claude-1" in done.stdout
    assert "its folder is gone" in done.stderr
