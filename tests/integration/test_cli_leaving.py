"""`zdriver remove`, `merge`, `worktree prune` and `recover`: what is refused and why, what is kept."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.integration.commands import Cli
from tests.integration.daemons import program
from tests.integration.shop import Shop, working_in
from zdriver.testing import Home, Terminal, processes, until


@pytest.fixture
def shop(home: Home, cli: Cli) -> Shop:
    return Shop(home, cli)


# -- remove --------------------------------------------------------------------------------


def test_what_speaks_against_it_is_said_all_at_once(shop: Shop, cli: Cli, home: Home) -> None:
    path = shop.made("busy")
    shop.commit(path)
    (path / "models.py").write_text("changed\n")
    (path / "note.txt").write_text("untracked\n")
    cli("claim", "feat-busy", "--agent", "claude-1", cwd=path)
    with working_in(path, home) as pid:
        assert cli.refused("remove", "busy", cwd=shop.trunk) == (4, "conflict")
        said = cli("remove", "busy", cwd=shop.trunk).stderr
    for words in (
        "is held by claude-1 since ",
        "uncommitted changes (1 changed)",
        "1 untracked file",
        "1 commit that is nowhere else",
        f"sleep 600 (pid {pid}) runs in it",
        "zdriver claim feat-busy --force --reason TEXT",
    ):
        assert words in said, said
    forced = cli("remove", "busy", "--force", cwd=shop.trunk)
    assert forced.returncode == 4, "a claim is not overcome by force"
    assert (path / "note.txt").exists()
    assert cli("remove", "busy", "--force", "--token", "99", cwd=shop.trunk).returncode == 4
    shop.agree()


def test_the_holder_may_remove_it_with_its_token(shop: Shop, cli: Cli) -> None:
    path = shop.made("held")
    token = cli.data("claim", "feat-held", "--agent", "claude-1", cwd=path)["token"]
    for given, code in ((token + 1, 4), (token, 0)):
        done = cli("remove", "held", "--token", str(given), cwd=shop.trunk, ZDRIVER_AGENT="claude-1")
        assert done.returncode == code, done.stderr
    assert not path.exists()


def test_forced_it_keeps_everything_and_comes_back(shop: Shop, cli: Cli) -> None:
    path = shop.made("lost")
    head = shop.commit(path)
    (path / "models.py").write_text("changed\n")
    (path / "note.txt").write_text("untracked\n")
    done = cli("remove", "lost", "--force", cwd=shop.trunk)
    assert done.returncode == 0
    first, kept, back = done.stdout.splitlines()
    assert first == "✓ feat-lost is removed, and its branch feat-lost"
    assert f"commit {head[:10]}, uncommitted changes, 1 " in kept
    assert not path.exists()
    shop.agree()
    (kept_one,) = cli.data("worktree", "recover", cwd=shop.trunk)
    assert back.endswith(f"zdriver worktree recover {kept_one['id'][-8:]}")
    listed = cli("worktree", "recover", cwd=shop.trunk).stdout
    assert f"feat-lost  {head[:10]}  changes, files  just now" in listed
    assert cli.refused("worktree", "recover", "nonsense", cwd=shop.trunk) == (3, "not_found")
    assert cli.data("worktree", "recover", kept_one["id"][-8:], cwd=shop.trunk)["worktree"]["path"] == str(
        path
    )
    assert (path / "note.txt").read_text() == "untracked\n"
    assert (path / "models.py").read_text() == "changed\n"
    assert shop.git("rev-parse", "HEAD", cwd=path) == head
    assert cli.refused("worktree", "recover", kept_one["id"][-8:], cwd=shop.trunk)[0] in (3, 4)
    shop.agree()


@pytest.mark.parametrize("below", [".", "deep/er"])
def test_the_folder_one_stands_in(shop: Shop, cli: Cli, tmp_path: Path, below: str) -> None:
    """Through the fork server, too: neither the command nor who called it counts as work in it."""
    path = shop.made("here")
    told = tmp_path / "cd"
    told.touch()
    inside = path / below
    inside.mkdir(parents=True, exist_ok=True)
    other = shop.made("other")
    done = cli(
        "remove",
        str(path),
        "../feat-other" if below == "." else str(other),
        cwd=inside,
        ZDRIVER_CD_FILE=str(told),
    )
    assert done.returncode == 0, done.stderr
    assert told.read_text() == str(shop.trunk)
    assert done.stderr.splitlines()[0] == "✓ feat-here is removed, and its branch feat-here"
    assert shop.names() == ["trunk"]
    again = shop.made("here")
    plain = cli("remove", ".", cwd=again)
    assert plain.stdout == f"{shop.trunk}\n", "`cd $(zdriver remove .)` works without the shell's function"
    told.write_text("")
    shop.made("far")
    assert cli("remove", "far", cwd=shop.trunk, ZDRIVER_CD_FILE=str(told)).returncode == 0
    assert told.read_text() == "", "who stands elsewhere stays there"


def test_a_shell_that_stands_in_it_and_asks_is_not_in_the_way(shop: Shop, home: Home) -> None:
    path = shop.made("mine")
    script = f"cd {path}; {sys.executable} -c 'pass'; \"$@\"; echo code=$?; read -r _"
    argv = ["/bin/bash", "-c", script, "bash", *program(), "remove", "mine"]
    with Terminal(argv, env=home.env, cwd=home.path) as terminal:
        terminal.wait_for("code=0")
        assert "zdriver setup shell" in terminal.screen()
    assert not path.exists()


def test_another_shell_that_stands_in_it_is_named(shop: Shop, cli: Cli, home: Home) -> None:
    path = shop.made("theirs")
    with Terminal(["/bin/bash", "--norc", "-i"], env=home.env, cwd=path) as terminal:
        until(lambda: processes.cwd(terminal.pid) == str(path), what="the shell to stand there")
        said = cli("remove", "theirs", cwd=shop.trunk)
        assert said.returncode == 4
        assert f"(pid {terminal.pid}) runs in it" in said.stderr
    assert cli("remove", "theirs", cwd=shop.trunk).returncode == 0


def test_several_at_once_each_for_itself(shop: Shop, cli: Cli) -> None:
    shop.made("a")
    dirty = shop.made("b")
    shop.made("c")
    (dirty / "models.py").write_text("changed\n")
    done = cli("remove", "a", "b", "nonsense", "c", "a", "--json", cwd=shop.trunk)
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["ok"] for each in said] == [True, False, False, True]
    assert [each["error"]["code"] for each in said[1:3]] == ["conflict", "not_found"]
    assert done.returncode == 4
    assert shop.names() == ["trunk", "feat-b"]


def test_a_folder_in_a_worktree_is_not_the_worktree(shop: Shop, cli: Cli) -> None:
    """Else a word that was meant for rm, or mistyped, would take away the worktree one stands in."""
    path = shop.made("here")
    for folder in ("src/app", "fix/there"):
        (path / folder).mkdir(parents=True)
    for name, code in (("src/app", "not_found"), ("./src", "invalid_input"), ("..", "invalid_input")):
        assert cli.refused("remove", name, cwd=path)[1] == code
        assert cli.refused("merge", name, cwd=path)[1] == code
    there = shop.made("there", "fix", "--branch", "fix/there")
    assert cli("remove", "fix/there", cwd=path).returncode == 0, "a branch comes before a folder"
    assert (path.exists(), there.exists()) == (True, False)
    assert cli("remove", ".", cwd=path / "src").returncode == 0
    assert shop.names() == ["trunk"]


def test_what_is_never_removed(shop: Shop, cli: Cli) -> None:
    said = cli("remove", "trunk", "--force", cwd=shop.trunk)
    assert said.returncode == 4
    assert "it is the trunk" in said.stderr
    locked = shop.made("locked")
    shop.git("worktree", "lock", "--reason", "on a stick", str(locked))
    assert "git has it locked (on a stick)" in cli("remove", "locked", "--force", cwd=shop.trunk).stderr


def test_a_remote_branch_goes_only_when_that_is_asked(shop: Shop, cli: Cli, home: Home) -> None:
    remote = home.path / "shop.git"
    shop.git("init", "-q", "--bare", str(remote))
    shop.git("remote", "add", "origin", str(remote))
    for name, more in (("one", ()), ("two", ("--delete-remote",))):
        path = shop.made(name)
        shop.commit(path, f"{name}.py")
        assert cli("remove", name, cwd=shop.trunk).returncode == 4, "not pushed yet"
        shop.git("push", "-q", "origin", f"feat-{name}", cwd=path)
        assert cli("remove", name, *more, cwd=shop.trunk).returncode == 0
    assert shop.git("branch", "--format=%(refname:short)", cwd=remote) == "feat-one"


# -- merge ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [(), ("--squash",), ("--rebase",)])
def test_a_worktree_is_merged_and_goes(shop: Shop, cli: Cli, tmp_path: Path, how: tuple[str, ...]) -> None:
    path = shop.made("user-auth")
    shop.commit(path)
    shop.commit(shop.trunk, "other.py")
    told = tmp_path / "cd"
    told.touch()
    done = cli("merge", *how, cwd=path, ZDRIVER_CD_FILE=str(told))
    assert done.returncode == 0, done.stderr
    assert "feat-user-auth is merged into main" in done.stderr
    assert told.read_text() == str(shop.trunk)
    assert (shop.trunk / "more.py").exists()
    assert shop.names() == ["trunk"]
    assert shop.git("branch", "--list", "feat-*") == ""
    shop.agree()


def test_kept_it_is_merged_only_and_pruned_later(shop: Shop, cli: Cli) -> None:
    path = shop.made("user-auth")
    assert cli.data("worktree", "prune", cwd=shop.trunk) == [], "a new one has not served yet"
    shop.commit(path)
    shop.commit(path, "most.py")
    shop.commit(shop.trunk, "other.py")
    merged = cli.data("merge", "user-auth", "--squash", "--keep", cwd=shop.trunk)
    assert (merged["into"], merged["removed"]) == ("main", None)
    assert merged["commit"] == shop.git("rev-parse", "main")
    listed = cli("worktree", "prune", cwd=shop.trunk)
    assert "feat-user-auth  merged into main by squash" in listed.stdout
    assert "zdriver worktree prune --yes" in listed.stderr
    assert path.exists()
    assert cli.refused("worktree", "prune", "trunk", "--yes", cwd=shop.trunk) == (3, "not_found")
    assert cli.data("worktree", "prune", "--yes", cwd=path) == [], "not the one that somebody stands in"
    assert cli.data("worktree", "prune", "--yes", cwd=shop.trunk)["branch_deleted"]
    assert shop.names() == ["trunk"]


def test_a_conflict_leaves_everything_as_it_was(shop: Shop, cli: Cli) -> None:
    path = shop.made("user-auth")
    for folder, text in ((path, "theirs\n"), (shop.trunk, "ours\n")):
        (folder / "models.py").write_text(text)
        shop.git("commit", "-q", "-am", text, cwd=folder)
    before = shop.git("for-each-ref")
    assert cli.refused("merge", "user-auth", cwd=shop.trunk) == (4, "conflict")
    assert "models.py" in cli("merge", "user-auth", cwd=shop.trunk).stderr
    assert shop.git("for-each-ref") == before
    assert shop.git("status", "--porcelain") == shop.git("status", "--porcelain", cwd=path) == ""
    shop.agree()


def test_what_is_not_committed_is_not_merged(shop: Shop, cli: Cli, home: Home) -> None:
    path = shop.made("user-auth")
    shop.commit(path)
    (path / "models.py").write_text("changed\n")
    assert "uncommitted changes (1 changed)" in cli("merge", "user-auth", cwd=shop.trunk).stderr
    shop.git("checkout", "-q", "models.py", cwd=path)
    with working_in(path, home):
        assert "runs in it" in cli("merge", "user-auth", cwd=shop.trunk).stderr
    assert cli.refused("merge", "trunk", cwd=shop.trunk) == (4, "conflict")
    assert cli.refused("merge", "nonsense", cwd=shop.trunk) == (3, "not_found")


# -- prune and hooks -----------------------------------------------------------------------


def test_prune_asks_on_a_terminal(shop: Shop, cli: Cli, home: Home) -> None:
    path = shop.made("done")
    shop.commit(path)
    shop.git("merge", "-q", "feat-done")
    for answer, code in (("n", 1), ("y", 0)):
        argv = ["/bin/bash", "-c", '"$@"; echo code=$?; read -r _', "bash", *program(), "worktree", "prune"]
        with Terminal(argv, env=home.env, cwd=shop.trunk) as terminal:
            terminal.wait_for("Remove it?")
            assert "merged into main" in terminal.screen()
            terminal.write(f"{answer}\r")
            terminal.wait_for(f"code={code}")
    assert shop.names() == ["trunk"]
    gone = shop.made("gone")
    shop.git("worktree", "remove", "--force", str(gone))
    assert cli.data("worktree", "prune", cwd=shop.trunk) == []


@pytest.fixture
def hooked(shop: Shop, cli: Cli) -> Path:
    """A worktree whose hooks are approved: pre-remove fails while `stay` is there."""
    (shop.trunk / ".zdriver.toml").write_text(
        '[hooks]\npre-remove = "echo before >> ../log; test ! -e stay"\n'
        'post-remove = "echo after >> ../shop.worktrees/log"\n'
    )
    (shop.trunk / ".gitignore").write_text("stay\n")
    shop.git("add", ".")
    shop.git("commit", "-q", "-m", "hooks")
    path = shop.made("hooked")
    assert cli("worktree", "hooks", "approve", "feat-hooked", "--yes", cwd=path).returncode == 0
    return path


def test_hooks_around_a_removal(shop: Shop, cli: Cli, hooked: Path) -> None:
    log = shop.container / "log"
    (hooked / "stay").touch()
    (hooked / "note.txt").touch()
    refused = cli("remove", "hooked", cwd=shop.trunk)
    assert "1 untracked file" in refused.stderr
    assert not log.exists(), "what is refused anyway tears nothing down before"
    (hooked / "note.txt").unlink()
    stays = cli("remove", "hooked", cwd=shop.trunk)
    assert stays.returncode == 4
    assert "feat-hooked stays: its hook pre-remove failed" in stays.stderr.replace(
        "error: hooked", "error: feat-hooked"
    )
    assert log.read_text() == "before\n"
    done = cli("remove", ".", "--force", cwd=hooked)
    assert done.returncode == 0, done.stderr
    words = ("removed in spite of its hook", "✓ feat-hooked is removed", "post-remove of feat-hooked …")
    assert sorted(words, key=done.stderr.index) == list(words)
    assert done.stdout == f"{shop.trunk}\n"
    assert log.read_text() == "before\nbefore\nafter\n"
    assert not hooked.exists()


def test_no_hooks_runs_none_and_merge_runs_both(shop: Shop, cli: Cli, hooked: Path) -> None:
    log = shop.container / "log"
    shop.commit(hooked)
    assert cli("merge", "hooked", cwd=shop.trunk).returncode == 0
    assert log.read_text() == "before\nafter\n"
    shop.made("again")
    assert cli("remove", "again", "--no-hooks", cwd=shop.trunk).returncode == 0
    assert log.read_text() == "before\nafter\n"


def test_a_broken_file_of_hooks_is_named_with_its_line(shop: Shop, cli: Cli, hooked: Path) -> None:
    (hooked / ".zdriver.toml").write_text("[hooks]\npre-remove = 7\n")
    shop.git("commit", "-q", "-am", "broken", cwd=hooked)
    said = cli("remove", "hooked", cwd=shop.trunk)
    assert said.returncode == 2
    assert ".zdriver.toml, line 2: " in said.stderr
    assert "or --no-hooks" in said.stderr
    assert hooked.exists()
    assert cli("remove", "hooked", "--no-hooks", "--force", cwd=shop.trunk).returncode == 0
